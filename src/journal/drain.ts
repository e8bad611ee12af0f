import type { StoreError } from "../errors.ts";
import type { TrackingStore } from "../store/tracking-store.ts";
import { refusalOf, retryDelayMs } from "./backoff.ts";
import { Backlog, type BacklogOptions } from "./backlog.ts";
import { DrainProgress } from "./drain-progress.ts";
import { DrainWaiters, stoppedError } from "./drain-waiters.ts";
import type { EntryGroup, WriterMemory } from "./entry-groups.ts";
import { GroupSettler, type SettlerOptions } from "./group-settler.ts";
import { readLastSequence } from "./journal-reader.ts";
import type { JournalWriter } from "./journal-writer.ts";
import { PatientStore } from "./patient-store.ts";
import { Sleeper } from "./sleeper.ts";

export type DrainState =
  | { readonly kind: "draining" | "idle" | "stopped" }
  /** The store is locked, away or can't be opened (or the journal can't be read); `attempt` counts the failures in a row. */
  | { readonly kind: "waiting"; readonly error: StoreError; readonly retryInMs: number; readonly attempt: number };

export interface DrainOptions
  extends
    Pick<BacklogOptions, "folder" | "onDamaged">,
    Pick<SettlerOptions, "openArtifacts" | "runIds" | "guardAttempt" | "onRefused" | "onParamKept"> {
  /** Called when there is something to write; with a short busy timeout, since waiting is this drain's business. The drain closes what it opened. */
  readonly openStore: () => Promise<TrackingStore>;
  /** The writer of this process, where there is one: tells what is still to come, and what lies in memory while it is stuck. */
  readonly writer?: WriterMemory & Pick<JournalWriter, "pendingBytes" | "lastSequence" | "release">;
  /** The database's schema revision, `undefined` where it cannot be told; a change between first and last write makes `finish` replay. Must not throw. */
  readonly revision?: () => string | undefined;
  readonly onStateChange?: (state: DrainState) => void;
  /** Pause after a write that emptied the backlog, so that a trickle becomes few transactions; cut short when somebody waits. */
  readonly paceMs?: number | (() => number);
  readonly cursorIntervalMs?: number;
}

const defaults: Required<Pick<DrainOptions, "paceMs" | "cursorIntervalMs">> = { paceMs: 100, cursorIntervalMs: 500 };

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
  readonly #waiters = new DrainWaiters();
  readonly #backlog: Backlog;
  readonly #settler: GroupSettler;
  #loop: Promise<void> | undefined;
  #isStopped = false;
  #mustRestart = false;
  #readFailures = 0;
  #state: DrainState["kind"] | undefined;

  constructor(options: DrainOptions) {
    this.#options = { ...defaults, ...options };
    this.#progress = new DrainProgress(options.folder, this.#options.cursorIntervalMs);
    this.#store = new PatientStore({
      openStore: options.openStore,
      onOpened: () => this.#noteRevision(),
      onWaiting: (error, retryInMs, attempt) => this.#changeState({ kind: "waiting", error, retryInMs, attempt }),
    });
    this.#backlog = new Backlog({ ...options, progress: this.#progress });
    this.#settler = new GroupSettler({
      ...options,
      progress: this.#progress,
      store: this.#store,
      onSettled: (sequence) => this.#settled(sequence),
    });
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
    const reached = this.#waiters.wait(this.#options.writer?.lastSequence ?? Infinity);
    this.#work.wake();
    this.#pace.wake();
    return reached;
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
    this.#backlog[Symbol.dispose]();
    this.#waiters.stopped();
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
      const groups = this.#backlog.followersOf(group);
      await this.#settle(groups);
      if (groups.at(-1)?.isLast === true && this.#waiters.isEmpty)
        await this.#pace.sleep(typeof paceMs === "number" ? paceMs : paceMs());
      else await new Promise(setImmediate);
    }
  }

  /** A journal that cannot be read is waited for as a store is. The group that was being collected begins anew behind the cursor. */
  async #nextGroup(): Promise<EntryGroup | undefined> {
    try {
      const group = this.#backlog.next();
      this.#readFailures = 0;
      return group;
    } catch (error) {
      if (!(error instanceof Error && "code" in error)) throw error;
      this.#readFailures += 1;
      const retryInMs = retryDelayMs(error, this.#readFailures);
      this.#changeState({ kind: "waiting", error: refusalOf(error), retryInMs, attempt: this.#readFailures });
      await this.#pace.sleep(retryInMs);
      this.#backlog.rewind();
      return this.#isStopped ? undefined : this.#nextGroup();
    }
  }

  async #settle(groups: readonly EntryGroup[]): Promise<void> {
    const mayShare = groups.length > 1 && groups.every((group) => this.#backlog.isSmall(group));
    if (mayShare && (await this.#settler.settleTogether(groups))) return;
    for (const each of groups) await this.#settler.settle(each);
  }

  #noteEnd(isAllWritten: boolean): void {
    this.#progress.saveIfDue();
    const last = this.#options.writer?.lastSequence ?? 0;
    if (this.#isStopped || (!isAllWritten && this.#progress.cursor.sequence < last)) return;
    this.#changeState({ kind: "idle" });
    this.#reached(Infinity);
  }

  #settled(sequence: number): void {
    this.#options.writer?.release(sequence);
    this.#reached(sequence);
  }

  #reached(sequence: number): void {
    if (!this.#mustRestart) this.#waiters.reached(sequence);
  }

  #restart(): void {
    this.#mustRestart = false;
    this.#progress.restart();
    this.#backlog.rewind();
  }

  #noteRevision(): void {
    const revision = this.#progress.cursor.revision === undefined ? this.#options.revision?.() : undefined;
    if (revision !== undefined) this.#progress.setRevision(revision);
  }

  #changeState(state: DrainState): void {
    const isSame = state.kind === this.#state && state.kind !== "waiting";
    this.#state = state.kind;
    if (!isSame) this.#options.onStateChange?.(state);
  }
}
