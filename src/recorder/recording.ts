import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ArtifactRepository } from "../artifacts/artifact-repository.ts";
import type { JournalEntry, JournalMemo, ScrapePosition, StoreOperation, TakenIn } from "../entities/journal-entry.ts";
import type { ServerAccess } from "../entities/server-access.ts";
import type { Tag } from "../entities/tag.ts";
import { StoreError } from "../errors.ts";
import { claimJournal, type JournalClaim } from "../journal/claim.ts";
import { Drain } from "../journal/drain.ts";
import { readEntries } from "../journal/journal-reader.ts";
import { JournalWriter } from "../journal/journal-writer.ts";
import { RunIds } from "../journal/run-ids.ts";
import { journalFiles, type JournalHeader } from "../wire/journal-header.ts";
import type { TrackingStore } from "../store/tracking-store.ts";
import { succeedsWithin } from "../util/succeeds-within.ts";
import { monotonicMs } from "../util/monotonic.ts";
import { failOnPurpose } from "../util/test-fault.ts";
import { createMasker, type SecretMasker } from "../wire/redact.ts";
import { EarlierEntries } from "./earlier-entries.ts";
import { forgetOuter, readHeader } from "./recording-files.ts";
import { LiveRun, type Speaker } from "./live-run.ts";
import { OpenRuns } from "./open-runs.ts";
import { RecordingStore } from "./recording-store.ts";
import { waitingNotice } from "./waiting-notice.ts";
import { RunView } from "./run-view.ts";
import { SilenceWatch } from "./silence-watch.ts";

export interface RecordingOptions {
  readonly folder: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** One line for the user; each kind is told once. */
  onNotice(text: string): void;
  /** The tracking server has made the run under this id, now or for an earlier recorder. */
  readonly onRunId?: (runId: string) => void;
  /** A journal that a later command replays: the store may hold a newer attempt by now. */
  readonly isReplay?: boolean;
  now(): number;
}

/** What was said last waits no longer for the store: a later command brings it home, which waits for nothing here. */
const lastEntriesMs = 2000;
/** What a write to a server that is under way at the end may still take. */
const lastWriteMs = 2000;
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
  /** How far earlier recorders took in each file of console output. */
  readonly scraped: readonly ScrapePosition[];
  /** Steps of system metrics that are taken already. */
  readonly nextSystemStep: number;
  /** When something was last said, in ms since the epoch. */
  readonly lastSaidAt: number;
  /** The final status stands in the journal already. */
  readonly isEnded: boolean;
  /** The runs that the command's processes have created. */
  readonly openRuns: OpenRuns;
  readonly #earlierRequests: Map<string, string>;
  /** Told of all that is journaled from now on, as it is written. */
  onOperation: (operation: StoreOperation) => void = () => {};
  /** Whether one process has spoken through both; asked only where two values of a param differ. */
  isSameSpeaker: (one: Speaker, other: Speaker) => boolean = () => false;
  #memo: JournalMemo = {};
  readonly #options: RecordingOptions;
  readonly #claim: JournalClaim;
  readonly #writer: JournalWriter;
  readonly #drain: Drain;
  readonly #noticed = new Set<string>();
  readonly #store: RecordingStore;
  readonly #runIds: RunIds | undefined;
  #childRunId: string | undefined;
  #isStoreAway = false;
  #silence: SilenceWatch | undefined;

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
    this.openRuns = new OpenRuns(header);
    this.masker = createMasker(options.env, { enabled: header.redact });
    this.#store = new RecordingStore(header, options.env);
    const isMapped = this.#store.isServer || header.rank?.isRunKnown === false || header.isRetargeted === true;
    this.#runIds = isMapped ? this.#openRunIds() : undefined;
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
      isOwnId: (runId) => runId === this.storeRunId || runId === this.childRunId,
      attempt: header.attempt,
      isOwnRunStored: header.kind !== "program",
      masker: this.masker,
      append: (operation, takenIn, memo) => this.#append(operation, takenIn, memo),
      isSameSpeaker: (one, other) => this.isSameSpeaker(one, other),
      warn: (kind, text) => this.notice(kind, text),
      now: options.now,
    });
    this.view = new RunView(header, this.live, {
      openStore: () => this.openStore(),
      storeRunId: () => this.storeRunId,
      childRunId: () => this.childRunId,
    });
    const seen = new EarlierEntries(this.live, header);
    for (const { entry } of readEntries(options.folder)) {
      seen.add(entry);
      this.openRuns.observe(entry.operation);
    }
    this.#memo = seen.memo;
    this.#earlierRequests = seen.requests;
    this.logOffset = seen.logOffset;
    this.scraped = seen.scraped;
    this.nextSystemStep = seen.nextSystemStep;
    this.lastSaidAt = seen.lastSaidAt;
    this.isEnded = seen.isEnded;
    if (!seen.isBegun && header.kind !== "program") this.#begin();
  }

  /** The run's id in the store: the journal's own until a tracking server has given another. */
  get storeRunId(): string {
    return this.#runIds?.toStore(this.header.runId) ?? this.header.runId;
  }

  /** The id that the command was given, which its processes carry. */
  get childRunId(): string {
    return this.#childRunId ?? this.storeRunId;
  }

  set childRunId(runId: string) {
    this.#childRunId = runId;
  }

  /** The store's id of what the journal knows by another one. */
  toStoreId(id: string): string {
    return this.#runIds?.toStore(id) ?? id;
  }

  /** The journal's id of what the store knows by another one. */
  fromStoreId(storeId: string): string {
    return this.#runIds?.toJournal(storeId) ?? storeId;
  }

  /** The store is a tracking server, which gives ids of its own. */
  get isServer(): boolean {
    return this.#store.isServer;
  }

  /** It has given one by now for what the journal knows by this. */
  isOnServer(id: string): boolean {
    return this.#runIds?.isCreated(id) ?? true;
  }

  /** The last attempt to store something has failed, and the next is waited for; or a server keeps silent. */
  get isStoreAway(): boolean {
    return this.#isHeldBack || this.#isStoreAway || this.#silence?.isSilent === true;
  }

  /** How the tracking server behind the store is reached. */
  get access(): ServerAccess | undefined {
    return this.#store.access;
  }

  /** A repository of artifacts that the journal's own are stored in. */
  openArtifacts(artifactUri: string): ArtifactRepository {
    return this.#store.openArtifacts(artifactUri);
  }

  /** What was said and is in the journal, from its beginning. */
  entries(): Iterable<{ readonly entry: JournalEntry }> {
    return readEntries(this.folder);
  }

  /** What was remembered beside the store's writes. */
  get memo(): JournalMemo {
    return this.#memo;
  }

  /** The run that a request was answered with under a recorder that died, by `requestKey`; asked for once, since a later one means another run. */
  takeEarlierRequest(key: string): string | undefined {
    const runId = this.#earlierRequests.get(key);
    this.#earlierRequests.delete(key);
    return runId;
  }

  /** Resolves once all that was said survives `kill -9`; at once while the journal is stuck. */
  written(): Promise<void> {
    return this.#writer.written();
  }

  /** The store, for reads; and for writes too once something was stored. Rejects while it is not there. */
  openStore(): Promise<TrackingStore> {
    if (this.#isHeldBack) return Promise.reject(new StoreError("TEMPORARILY_UNAVAILABLE", "this run is offline"));
    return this.#store.openForReading();
  }

  get #isHeldBack(): boolean {
    return this.header.isOffline === true && this.#options.isReplay !== true;
  }

  /** The journal folder. */
  get folder(): string {
    return this.#options.folder;
  }

  get pendingEntries(): number {
    return this.#drain.pending;
  }

  get refusedEntries(): number {
    return this.#drain.refusedEntries;
  }

  /** A promise while sources that can wait should wait. */
  get congestion(): Promise<void> | undefined {
    return this.#writer.congestion;
  }

  start(): void {
    if (this.#isHeldBack) return;
    this.#drain.start();
    if (this.header.isDirect === true && this.#runIds === undefined) {
      const tell = (): void => this.#options.onRunId?.(this.header.runId);
      // Stopped before: nobody waits for it any more.
      this.#drain.idle().then(tell, () => undefined);
    }
    if (this.isServer) this.#silence ??= new SilenceWatch(this.#drain);
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
    else if (!this.#isHeldBack) await this.#drain.idle();
  }

  /** All is in the store, or refused, within `timeoutMs`; false where it is not. */
  async settle(timeoutMs: number): Promise<boolean> {
    this.live.commit();
    return !this.#isHeldBack && (await succeedsWithin(this.#drain.idle(), timeoutMs));
  }

  /** For a crash: what lies in memory goes to the journal before this returns. Throws what the disk answers. */
  writeOutNow(): void {
    this.live.commit();
    this.#writer.writeOutNow();
  }

  /** Ends this session. The folder goes once nothing in it is needed any more. */
  async close(): Promise<void> {
    this.#silence?.stop();
    this.live.commit();
    await this.#writer.close().catch((error: unknown) => this.notice("journal", String(error)));
    const isDone = (await this.#isDrained()) && (await succeedsWithin(this.#drain.finish(), 30_000));
    if (!isDone) await this.#stopDrain();
    await this.#store.close();
    if (isDone) this.#retire();
    await this.#claim.release();
  }

  async #stopDrain(): Promise<void> {
    const timer = setTimeout(() => this.#store.abort(), lastWriteMs);
    await this.#drain.stop();
    clearTimeout(timer);
  }

  async #isDrained(): Promise<boolean> {
    if (this.pendingEntries === 0) return true;
    return (
      this.#options.isReplay !== true && !this.#isHeldBack && (await succeedsWithin(this.#drain.idle(), lastEntriesMs))
    );
  }

  /** What was refused stays to be looked at; no later command has anything to do with it. */
  #retire(): void {
    const { folder } = this.#options;
    if (this.refusedEntries === 0) rmSync(folder, { recursive: true, force: true });
    else writeFileSync(join(folder, journalFiles.finished), "", { mode: 0o600 });
  }

  #append(operation: StoreOperation, takenIn: TakenIn = {}, memo?: JournalMemo): void {
    failOnPurpose("journal");
    this.openRuns.observe(operation);
    this.onOperation(operation);
    // No server can have heard of what is being written down for the first time.
    if (operation.op === "create-run") this.#runIds?.noteUntried(operation.runId);
    if (operation.op === "create-logged-model") this.#runIds?.noteUntried(operation.modelId);
    if (memo !== undefined) this.#memo = { ...this.#memo, ...memo };
    this.#writer.append({
      receivedAt: this.#options.now(),
      attempt: this.header.attempt,
      ...takenIn,
      ...(memo !== undefined && { memo }),
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
      openStore: () => {
        failOnPurpose("store");
        return this.#store.openForDrain();
      },
      revision: () => this.#store.revision(),
      openArtifacts: async (info) => await Promise.resolve(this.#store.openArtifacts(info.artifactUri)),
      ...(this.#runIds !== undefined && { runIds: this.#runIds }),
      onRefused: ({ operation: { op } }, error) =>
        this.notice(`refused ${op}`, `the store refused what was said (${op}): ${error.message}`),
      onStateChange: (state) => {
        this.#isStoreAway = state.kind === "waiting";
        const told = waitingNotice(state);
        if (told !== undefined) this.notice(...told);
      },
    });
  }

  #openRunIds(): RunIds {
    const { runId } = this.header;
    const { folder } = this.#options;
    const onCreated = (created: string, storeRunId: string): void => {
      if (created === runId) this.#options.onRunId?.(storeRunId);
    };
    const isThroughOuter = this.#store.isThroughOuter;
    if (!isThroughOuter) forgetOuter(folder);
    const runIds = new RunIds(folder, onCreated, isThroughOuter ? journalFiles.outerRunIds : journalFiles.runIds);
    if (runIds.isCreated(runId)) this.#options.onRunId?.(runIds.toStore(runId));
    return runIds;
  }

  /** The first session writes what creates the run, or continues it. */
  #begin(): void {
    const { header, live } = this;
    const { runId, runName } = header;
    const { rank, startTime, command } = header;
    if (rank !== undefined && rank.index > 0) {
      if (!rank.isRunKnown) live.write({ op: "join-run", runId, group: rank.group, startTime, command });
      return;
    }
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
      const { createId, experiment, userId, tags } = header;
      live.write({ op: "create-run", runId, createId, experiment, runName: runName ?? "", userId, startTime, tags });
    }
    if (header.params.length > 0) live.write({ op: "log-batch", runId, params: header.params });
  }
}
