import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openArtifactRepository } from "../artifacts/open-artifact-repository.ts";
import type { StoreOperation } from "../entities/journal-entry.ts";

import type { Tag } from "../entities/tag.ts";
import { claimJournal, type JournalClaim } from "../journal/claim.ts";
import { Drain } from "../journal/drain.ts";
import { readEntries } from "../journal/journal-reader.ts";
import { JournalWriter } from "../journal/journal-writer.ts";
import { openTrackingStore } from "../store/open-store.ts";
import type { TrackingStore } from "../store/tracking-store.ts";
import { journalFiles, type JournalHeader } from "../wire/journal-header.ts";
import { monotonicMs } from "../util/monotonic.ts";
import { failOnPurpose } from "../util/test-fault.ts";
import { createMasker, type SecretMasker } from "../wire/redact.ts";
import { EarlierEntries } from "./earlier-entries.ts";
import { LiveRun } from "./live-run.ts";
import { RunView } from "./run-view.ts";

export interface RecordingOptions {
  readonly folder: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** One line for the user; each kind is told once. */
  onNotice(text: string): void;
  /** A journal that a later command replays: the store may hold a newer attempt by now. */
  readonly isReplay?: boolean;
  now(): number;
}

/** A locked database must not block the event loop: the drain waits by itself. */
const busyTimeoutMs = 100;
/** What was said last waits no longer for the store: a later command brings it home, which waits for nothing here. */
const lastEntriesMs = 2000;
/**
 * Small writes are that far apart, since each costs a commit; the first seconds of a run are shown at once. Whoever waits for
 * the store, and the end of a run, are not kept waiting by it.
 */
const drainPace = { firstMs: 10_000, earlyMs: 500, laterMs: 5000 };
/** A cursor that is behind costs a replay of what is stored already, which changes nothing. */
const cursorIntervalMs = 5000;

/**
 * One journal while it is written and drained: the road from "something was said" to "it is stored".
 * The recorder has one while its run lives; a later command opens one to finish the work of a dead recorder.
 */
export class Recording {
  readonly header: JournalHeader;
  readonly masker: SecretMasker;
  readonly live: LiveRun;
  readonly view: RunView;
  /** Bytes of the append file that earlier recorders took in. */
  readonly logOffset: number;
  /** Steps of system metrics that are taken already. */
  readonly nextSystemStep: number;
  /** When something was last said, in ms since the epoch. */
  readonly lastSaidAt: number;
  /** The final status stands in the journal already. */
  readonly isEnded: boolean;
  readonly #options: RecordingOptions;
  readonly #claim: JournalClaim;
  readonly #writer: JournalWriter;
  readonly #drain: Drain;
  readonly #noticed = new Set<string>();
  #store: TrackingStore | undefined;
  /** Open as long as the drain is; calls on one store run in order, so reads may share it. */
  #drainStore: TrackingStore | undefined;
  #revisionOf: (() => string) | undefined;

  /** `undefined` while another process has the journal, or where its header cannot be read. */
  static async open(options: RecordingOptions): Promise<Recording | undefined> {
    const claim = await claimJournal(options.folder);
    if (claim === undefined) return undefined;
    const header = readHeader(options.folder);
    return header === undefined ? undefined : new Recording(options, claim, header);
  }

  private constructor(options: RecordingOptions, claim: JournalClaim, header: JournalHeader) {
    this.#options = options;
    this.#claim = claim;
    this.header = header;
    this.masker = createMasker(options.env, { enabled: header.redact });
    mkdirSync(join(options.folder, journalFiles.spool), { recursive: true, mode: 0o700 });
    this.#writer = JournalWriter.open(options.folder, {
      onWritten: () => this.#drain.poke(),
      onStuck: (error) => {
        this.notice("journal", error.message);
        this.#drain.poke();
      },
    });
    this.#drain = this.#openDrain();
    this.live = new LiveRun({
      runId: header.runId,
      attempt: header.attempt,
      masker: this.masker,
      append: (operation, logOffset) => this.#append(operation, logOffset),
      warn: (kind, text) => this.notice(kind, text),
      now: options.now,
    });
    this.view = new RunView(header, this.live, () => this.#openStore());
    const seen = new EarlierEntries(this.live, header);
    for (const { entry } of readEntries(options.folder)) seen.add(entry.operation, entry.receivedAt, entry.logOffset);
    this.logOffset = seen.logOffset;
    this.nextSystemStep = seen.nextSystemStep;
    this.lastSaidAt = seen.lastSaidAt;
    this.isEnded = seen.isEnded;
    if (!seen.isBegun) this.#begin();
  }

  get pendingEntries(): number {
    return this.#drain.pending;
  }

  get refusedEntries(): number {
    return this.#drain.refusedEntries;
  }

  get droppedEntries(): number {
    return this.#writer.droppedEntries;
  }

  /** A promise while sources that can wait should wait. */
  get congestion(): Promise<void> | undefined {
    return this.#writer.congestion;
  }

  start(): void {
    this.#drain.start();
  }

  /** One line for the user, the first time that something of this kind happens. */
  notice(kind: string, text: string): void {
    if (this.#noticed.has(kind)) return;
    this.#noticed.add(kind);
    this.#options.onNotice(this.masker.maskText(text));
  }

  logTags(tags: readonly Tag[]): void {
    if (tags.length > 0) this.live.log({ type: "batch", tags: tags.map(({ key, value }) => [key, value]) });
    this.live.commit();
  }

  /** Resolves once all that was said is on disk in the journal, or in the store. */
  async flush(level: "journal" | "store"): Promise<void> {
    this.live.commit();
    if (level === "journal") await this.#writer.flush();
    else await this.#drain.idle();
  }

  /** All is in the store, or refused, within `timeoutMs`; false where it is not. */
  async settle(timeoutMs: number): Promise<boolean> {
    this.live.commit();
    return await within(this.#drain.idle(), timeoutMs);
  }

  /** For a crash: what lies in memory goes to the journal before this returns. Throws what the disk answers. */
  writeOutNow(): void {
    this.live.commit();
    this.#writer.writeOutNow();
  }

  /** Ends this session. The folder goes once nothing in it is needed any more. */
  async close(): Promise<void> {
    this.live.commit();
    await this.#writer.close().catch((error: unknown) => this.notice("journal", String(error)));
    const isDone = (await this.#isDrained()) && (await within(this.#drain.finish(), 30_000));
    if (!isDone) await this.#drain.stop();
    await this.#closeStore();
    if (isDone) this.#retire();
    await this.#claim.release();
  }

  async #isDrained(): Promise<boolean> {
    if (this.pendingEntries === 0) return true;
    return this.#options.isReplay !== true && (await within(this.#drain.idle(), lastEntriesMs));
  }

  /** What was refused stays to be looked at; no later command has anything to do with it. */
  #retire(): void {
    const { folder } = this.#options;
    if (this.refusedEntries === 0) rmSync(folder, { recursive: true, force: true });
    else writeFileSync(join(folder, journalFiles.finished), "", { mode: 0o600 });
  }

  #append(operation: StoreOperation, logOffset?: number): void {
    failOnPurpose("journal");
    this.#writer.append({
      receivedAt: this.#options.now(),
      attempt: this.header.attempt,
      ...(logOffset !== undefined && { logOffset }),
      operation,
    });
  }

  #openDrain(): Drain {
    const begunAt = monotonicMs();
    return new Drain({
      folder: this.#options.folder,
      writer: this.#writer,
      guardAttempt: this.#options.isReplay ?? false,
      paceMs: () => (monotonicMs() - begunAt < drainPace.firstMs ? drainPace.earlyMs : drainPace.laterMs),
      cursorIntervalMs,
      openStore: async () => {
        failOnPurpose("store");
        const store = await openTrackingStore(this.header.trackingUri, { mode: "write", busyTimeoutMs });
        this.#drainStore = store;
        this.#revisionOf = hasRevision(store) ? () => store.revision() : undefined;
        return store;
      },
      revision: () => this.#revision(),
      openArtifacts: async (info) => await Promise.resolve(openArtifactRepository(info.artifactUri)),
      onRefused: (entry, error) =>
        this.notice(
          `refused ${entry.operation.op}`,
          `the store refused what was said (${entry.operation.op}): ${error.message}`,
        ),
      onStateChange: (state) => {
        if (state.kind === "waiting" && state.attempt > 3) {
          this.notice("store", `the store cannot be written for now, recording goes on: ${state.error.message}`);
        }
      },
    });
  }

  #revision(): string | undefined {
    try {
      return this.#revisionOf?.();
    } catch {
      // A database that cannot tell now (locked, closed): the drain then sees no migration, which is the usual case.
      return undefined;
    }
  }

  /** The first session writes what creates the run, or continues it. */
  #begin(): void {
    const { header, live } = this;
    const { runId, runName } = header;
    if (header.isResumed) {
      live.write({
        op: "update-run",
        runId,
        status: "RUNNING",
        endTime: null,
        ...(runName !== undefined && { runName }),
      });
      for (const key of header.staleTags) live.write({ op: "delete-tag", runId, key });
      if (header.tags.length > 0) live.write({ op: "log-batch", runId, tags: header.tags });
    } else {
      const { createId, experiment, userId, startTime, tags } = header;
      live.write({ op: "create-run", runId, createId, experiment, runName: runName ?? "", userId, startTime, tags });
    }
    if (header.params.length > 0) live.write({ op: "log-batch", runId, params: header.params });
  }

  async #openStore(): Promise<TrackingStore> {
    if (this.#drainStore !== undefined) return this.#drainStore;
    this.#store ??= await openTrackingStore(this.header.trackingUri, { mode: "read", busyTimeoutMs });
    return this.#store;
  }

  async #closeStore(): Promise<void> {
    await this.#store?.[Symbol.asyncDispose]();
    this.#store = undefined;
  }
}

function hasRevision(store: TrackingStore): store is TrackingStore & { revision(): string } {
  return "revision" in store && typeof store.revision === "function";
}

function readHeader(folder: string): JournalHeader | undefined {
  try {
    return JSON.parse(readFileSync(join(folder, journalFiles.header), "utf8")) as JournalHeader;
  } catch {
    // Without its header a journal cannot be told by anyone; `track doctor` names such folders.
    return undefined;
  }
}

async function within(action: Promise<unknown>, timeoutMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), timeoutMs);
  });
  try {
    return await Promise.race([action.then(() => true), late]);
  } catch {
    // The drain was stopped on the way: what is left stays in the journal.
    return false;
  } finally {
    clearTimeout(timer);
  }
}
