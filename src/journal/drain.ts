import { statSync } from "node:fs";
import type { JournalEntry, StoreOperation } from "../entities/journal-entry.ts";
import type { RunInfo } from "../entities/run.ts";
import { StoreError } from "../errors.ts";
import type { TrackingStore } from "../store/tracking-store.ts";
import type { ApplyContext } from "./apply-operation.ts";
import { refusalOf, retryDelayMs } from "./backoff.ts";
import { DrainProgress } from "./drain-progress.ts";
import type { DrainedEntry, EntryGroup, WriterMemory } from "./entry-groups.ts";
import { EntryGroups } from "./entry-groups.ts";
import { JournalReader, readLastSequence } from "./journal-reader.ts";
import type { JournalWriter } from "./journal-writer.ts";
import { splitBatch } from "./merged-batch.ts";
import type { WriteOutcome } from "./patient-store.ts";
import { PatientStore } from "./patient-store.ts";
import { Sleeper } from "./sleeper.ts";
import { spoolPathIn } from "./spooled-artifact.ts";

export type DrainState =
  | { readonly kind: "draining" | "idle" | "stopped" }
  /** The store is locked, away or can't be opened (or the journal can't be read); `attempt` counts the failures in a row. */
  | { readonly kind: "waiting"; readonly error: StoreError; readonly retryInMs: number; readonly attempt: number };

export interface DrainOptions extends Pick<ApplyContext, "openArtifacts" | "runIds"> {
  /** The journal folder; its claim is the caller's business. */
  readonly folder: string;
  /** Called when there is something to write; with a short busy timeout, since waiting is this drain's business. The drain closes what it opened. */
  readonly openStore: () => Promise<TrackingStore>;
  /** The writer of this process, where there is one: tells what is still to come, and what lies in memory while it is stuck. */
  readonly writer?: WriterMemory & Pick<JournalWriter, "pendingBytes" | "lastSequence" | "release">;
  /** For a journal that may be older than what the store has: `ApplyContext.guardedAttempt`. */
  readonly guardAttempt?: boolean;
  /** The database's schema revision, `undefined` where it cannot be told; a change between first and last write makes `finish` replay. Must not throw. */
  readonly revision?: () => string | undefined;
  /** Once for each entry that the store refused for good; it is in `refused.ndjson`. */
  readonly onRefused?: (entry: JournalEntry, error: StoreError) => void;
  readonly onStateChange?: (state: DrainState) => void;
  /** A line of the journal that is no entry; it is passed over. */
  readonly onDamaged?: () => void;
  /** Pause after a write that emptied the backlog, so that a trickle becomes few transactions; cut short when somebody waits. */
  readonly paceMs?: number | (() => number);
  readonly cursorIntervalMs?: number;
}

const defaults: Required<Pick<DrainOptions, "paceMs" | "cursorIntervalMs">> = { paceMs: 100, cursorIntervalMs: 500 };

interface Waiter {
  readonly sequence: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/**
 * Brings a journal into a store: in order, at least once, each entry until it is stored or refused. It reads the segments
 * behind the writer, so its memory is one group of entries, whatever the backlog is. A store that is away is waited for
 * without end; `stop` leaves the rest for the next session.
 */
export class Drain {
  readonly #options: DrainOptions & typeof defaults;
  readonly #progress: DrainProgress;
  readonly #store: PatientStore;
  readonly #work = new Sleeper();
  readonly #pace = new Sleeper();
  readonly #knownRuns = new Map<string, RunInfo>();
  readonly #knownModels = new Map<string, string>();
  #groups: EntryGroups;
  #loop: Promise<void> | undefined;
  #isStopped = false;
  #mustRestart = false;
  #readFailures = 0;
  #waiters: Waiter[] = [];
  #state: DrainState["kind"] | undefined;

  constructor(options: DrainOptions) {
    this.#options = { ...defaults, ...options };
    this.#progress = new DrainProgress(options.folder, this.#options.cursorIntervalMs);
    this.#store = new PatientStore({
      openStore: options.openStore,
      onOpened: () => this.#noteRevision(),
      onWaiting: (error, retryInMs, attempt) => this.#changeState({ kind: "waiting", error, retryInMs, attempt }),
    });
    this.#groups = this.#groupsFromCursor();
  }

  start(): void {
    this.#loop ??= this.#run();
  }

  /** There is more to read: `JournalWriterOptions.onWritten` and `onStuck` belong here. Cheap. */
  poke(): void {
    this.#work.wake();
  }

  /** All that was appended before the call is stored or refused. Rejects when the drain is stopped before. */
  idle(): Promise<void> {
    if (this.#isStopped) return Promise.reject(stoppedError());
    return new Promise((resolve, reject) => {
      this.#waiters.push({ sequence: this.#options.writer?.lastSequence ?? Infinity, resolve, reject });
      this.#work.wake();
      this.#pace.wake();
    });
  }

  /**
   * `idle`, then `stop`. Where the database was migrated under the drain's hands (`revision`), which may have lost rows,
   * the journal is first written once more from its beginning.
   */
  async finish(): Promise<void> {
    await this.idle();
    const revision = this.#options.revision?.();
    const known = this.#progress.cursor.revision;
    if (revision !== undefined && known !== undefined && revision !== known) {
      this.#mustRestart = true;
      await this.idle();
      this.#progress.setRevision(revision);
    }
    await this.stop();
  }

  /** Ends after the write that is under way, saves the cursor and closes the store. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#store.stop();
    this.#work.wake();
    this.#pace.wake();
    await this.#loop;
    this.#progress.save();
    this.#groups[Symbol.dispose]();
    for (const waiter of this.#waiters.splice(0)) waiter.reject(stoppedError());
    await this.#store.close();
    this.#changeState({ kind: "stopped" });
  }

  /** Entries that are neither stored nor refused yet. */
  get pending(): number {
    const last = this.#options.writer?.lastSequence ?? readLastSequence(this.#options.folder);
    return Math.max(0, last - this.#progress.cursor.sequence);
  }

  /** Of the last entry that is stored or refused. */
  get storedSequence(): number {
    return this.#progress.cursor.sequence;
  }

  /** Entries that were set aside, those of earlier sessions included. */
  get refusedEntries(): number {
    return this.#progress.refusedEntries;
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      if (this.#mustRestart) this.#restart();
      const { writer, paceMs, cursorIntervalMs } = this.#options;
      const isAllWritten = writer === undefined || writer.pendingBytes === 0;
      const group = await this.#nextGroup();
      if (group === undefined) {
        this.#noteEnd(isAllWritten);
        await this.#work.sleep(this.#progress.isSaved ? undefined : cursorIntervalMs);
        continue;
      }
      this.#changeState({ kind: "draining" });
      const groups = this.#followersOf(group);
      if (!(await this.#settleTogether(groups))) for (const each of groups) await this.#settleGroup(each);
      if (groups.at(-1)?.isLast === true && this.#waiters.length === 0)
        await this.#pace.sleep(typeof paceMs === "number" ? paceMs : paceMs());
      else await new Promise(setImmediate);
    }
  }

  /** A journal that cannot be read is waited for as a store is. The group that was being collected begins anew behind the cursor. */
  async #nextGroup(): Promise<EntryGroup | undefined> {
    try {
      const group = this.#groups.next();
      this.#readFailures = 0;
      return group;
    } catch (error) {
      if (!(error instanceof Error && "code" in error)) throw error;
      this.#readFailures += 1;
      const retryInMs = retryDelayMs(error, this.#readFailures);
      this.#changeState({ kind: "waiting", error: refusalOf(error), retryInMs, attempt: this.#readFailures });
      await this.#pace.sleep(retryInMs);
      this.#groups[Symbol.dispose]();
      this.#groups = this.#groupsFromCursor();
      return this.#isStopped ? undefined : this.#nextGroup();
    }
  }

  #noteEnd(isAllWritten: boolean): void {
    this.#progress.saveIfDue();
    const last = this.#options.writer?.lastSequence ?? 0;
    if (this.#isStopped || (!isAllWritten && this.#progress.cursor.sequence < last)) return;
    this.#changeState({ kind: "idle" });
    this.#resolveWaiters(Infinity);
  }

  /** The group with those behind it that are small as well: one write for all of a short run's end. */
  #followersOf(first: EntryGroup): readonly EntryGroup[] {
    const groups = [first];
    let last = first;
    try {
      while (!last.isLast && isSmall(last, this.#options.folder) && groups.length < groupsTogether) {
        const next = this.#groups.next();
        if (next === undefined) break;
        groups.push(next);
        last = next;
      }
    } catch (error) {
      // The next turn meets it again, and waits.
      if (!(error instanceof Error && "code" in error)) throw error;
    }
    return groups;
  }

  /** False where each has to be settled by itself. */
  async #settleTogether(groups: readonly EntryGroup[]): Promise<boolean> {
    if (groups.length < 2 || this.#options.guardAttempt === true) return false;
    if (!groups.every((group) => isSmall(group, this.#options.folder))) return false;
    const operations = groups.map(({ operation }) => operation);
    if (!(await this.#store.writeTogether(operations, this.#contextOf()))) return false;
    for (const { entries, operation } of groups) {
      this.#noteStored(operation);
      this.#advance(entries.at(-1) ?? entries[0]);
    }
    return true;
  }

  async #settleGroup({ entries, operation }: EntryGroup): Promise<void> {
    const outcome = await this.#write(operation, entries[0].entry);
    if (outcome.kind === "stopped") return;
    if (outcome.kind === "stored") return this.#advance(entries.at(-1) ?? entries[0]);
    for (const drained of entries) {
      const alone = entries.length === 1 ? outcome : await this.#write(drained.entry.operation, drained.entry);
      const isSettled =
        alone.kind === "refused" ? await this.#setAside(drained.entry, alone.error) : alone.kind === "stored";
      if (!isSettled) return;
      this.#advance(drained);
    }
  }

  /** False where the drain was stopped. One bad param must not cost the metrics said in the same breath: the parts of a batch are tried apart. */
  async #setAside(entry: JournalEntry, error: StoreError): Promise<boolean> {
    const { operation } = entry;
    const parts = operation.op === "log-batch" ? splitBatch(operation) : [];
    if (parts.length < 2) {
      this.#refuse(entry, error);
      return true;
    }
    const refused: { readonly part: StoreOperation; readonly error: StoreError }[] = [];
    for (const part of parts) {
      const outcome = await this.#write(part, entry);
      if (outcome.kind === "stopped") return false;
      if (outcome.kind === "refused") refused.push({ part, error: outcome.error });
    }
    const [first] = refused;
    if (first !== undefined)
      this.#refuse(refused.length > 1 ? entry : { ...entry, operation: first.part }, first.error);
    return true;
  }

  #refuse(entry: JournalEntry, error: StoreError): void {
    if (this.#progress.refuse(entry, error)) this.#options.onRefused?.(entry, error);
  }

  async #write(operation: StoreOperation, { attempt }: JournalEntry): Promise<WriteOutcome> {
    const { guardAttempt } = this.#options;
    const context = { ...this.#contextOf(), ...(guardAttempt === true ? { guardedAttempt: attempt } : {}) };
    const outcome = await this.#store.write(operation, context);
    if (outcome.kind === "stored") this.#noteStored(operation);
    return outcome;
  }

  #contextOf(): ApplyContext {
    const { folder, openArtifacts, runIds } = this.#options;
    const known = { knownRuns: this.#knownRuns, knownModels: this.#knownModels };
    return { folder, openArtifacts, ...known, ...(runIds === undefined ? {} : { runIds }) };
  }

  #noteStored(operation: StoreOperation): void {
    if (operation.op === "log-artifact") this.#progress.noteStoredFile(spoolPathIn(this.#options.folder, operation));
  }

  #advance(drained: DrainedEntry): void {
    const { sequence } = drained.entry;
    this.#progress.advance(drained);
    this.#options.writer?.release(sequence);
    this.#resolveWaiters(sequence);
  }

  #resolveWaiters(sequence: number): void {
    if (this.#mustRestart) return;
    const waiters = this.#waiters;
    this.#waiters = waiters.filter((waiter) => waiter.sequence > sequence);
    for (const waiter of waiters) if (waiter.sequence <= sequence) waiter.resolve();
  }

  #restart(): void {
    this.#mustRestart = false;
    this.#progress.restart();
    this.#groups[Symbol.dispose]();
    this.#groups = this.#groupsFromCursor();
  }

  #noteRevision(): void {
    const revision = this.#progress.cursor.revision === undefined ? this.#options.revision?.() : undefined;
    if (revision !== undefined) this.#progress.setRevision(revision);
  }

  #groupsFromCursor(): EntryGroups {
    const { position, sequence } = this.#progress.cursor;
    const { folder, writer, onDamaged } = this.#options;
    const reader = new JournalReader(folder, { from: position, ...(onDamaged === undefined ? {} : { onDamaged }) });
    return new EntryGroups(reader, sequence, writer);
  }

  #changeState(state: DrainState): void {
    const isSame = state.kind === this.#state && state.kind !== "waiting";
    this.#state = state.kind;
    if (!isSame) this.#options.onStateChange?.(state);
  }
}

/** What one transaction may hold without keeping other writers out for long. */
const groupsTogether = 32;
const smallPoints = 200;
const smallFileBytes = 65_536;

function isSmall({ operation }: EntryGroup, folder: string): boolean {
  if (operation.op === "log-batch") return (operation.metrics?.length ?? 0) <= smallPoints;
  if (operation.op !== "log-artifact") return true;
  try {
    const stats = statSync(spoolPathIn(folder, operation), { throwIfNoEntry: false });
    return stats === undefined || (stats.isFile() && stats.size <= smallFileBytes);
  } catch {
    // A path that is no good is set aside by itself.
    return false;
  }
}

function stoppedError(): StoreError {
  return new StoreError("TEMPORARILY_UNAVAILABLE", "the journal is not drained further");
}
