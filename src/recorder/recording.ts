import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { ArtifactRepository } from "../artifacts/artifact-repository.ts";
import type { JournalEntry, JournalMemo, StoreOperation, TakenIn } from "../entities/journal-entry.ts";
import type { ServerAccess } from "../entities/server-access.ts";
import type { Param } from "../entities/param.ts";
import type { Tag } from "../entities/tag.ts";
import { StoreError } from "../errors.ts";
import { claimJournal, type JournalClaim } from "../journal/claim.ts";
import { readEntries } from "../journal/journal-reader.ts";
import { JournalWriter } from "../journal/journal-writer.ts";
import type { SharedStores } from "../store/shared-stores.ts";
import type { TrackingStore } from "../store/tracking-store.ts";
import { failOnPurpose } from "../util/test-fault.ts";
import { journalFiles, type JournalHeader } from "../wire/journal-header.ts";
import { createMasker, type SecretMasker } from "../wire/redact.ts";
import { beginRun } from "./begin-run.ts";
import { EarlierEntries } from "./earlier-entries.ts";
import { LiveRun, type Speaker } from "./live-run.ts";
import { OpenRuns } from "./open-runs.ts";
import { noteOpenRun } from "./open-runs-file.ts";
import { RecordingDrain } from "./recording-drain.ts";
import { readHeader, retireJournal } from "./recording-files.ts";
import { RecordingIds } from "./recording-ids.ts";
import { RecordingStore } from "./recording-store.ts";
import { RunView } from "./run-view.ts";

export interface RecordingOptions {
  readonly folder: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** One line for the user; each kind is told once. */
  onNotice(text: string): void;
  /** The tracking server has made the run under this id, now or for an earlier recorder. */
  readonly onRunId?: (runId: string) => void;
  /** A journal that a later command replays: the store may hold a newer attempt by now. */
  readonly isReplay?: boolean;
  /** Of the journals that are replayed beside this one. */
  readonly stores?: SharedStores;
  now(): number;
}

/**
 * One journal while it is written and drained: the road from "something was said" to "it is stored".
 * The recorder has one while its run lives; a later command opens one to finish the work of a dead recorder.
 */
export class Recording {
  readonly header: JournalHeader;
  readonly masker: SecretMasker;
  readonly ids: RecordingIds;
  readonly live: LiveRun;
  readonly view: RunView;
  /** What earlier recorders of this journal have taken in. */
  readonly earlier: EarlierEntries;
  /** The runs that the command's processes have created. */
  readonly openRuns: OpenRuns;
  /** Told of all that is journaled from now on, as it is written. */
  onOperation: (operation: StoreOperation) => void = () => {};
  /** Whether one process has spoken through both; asked only where two values of a param differ. */
  isSameSpeaker: (one: Speaker, other: Speaker) => boolean = () => false;
  /** What checks params of runs other than the wrapper's own before they are written, once MLflow's clients are served; `runId` as it was said. */
  passParams: ((runId: string, params: readonly Param[], write: () => void) => Promise<void>) | undefined;
  #memo: JournalMemo;
  readonly #options: RecordingOptions;
  readonly #claim: JournalClaim;
  readonly #writer: JournalWriter;
  readonly #drain: RecordingDrain;
  readonly #noticed = new Set<string>();
  readonly #store: RecordingStore;

  /** `undefined` while another process has the journal, or where its header cannot be read. */
  static async open(options: RecordingOptions): Promise<Recording | undefined> {
    const claim = await claimJournal(options.folder);
    if (claim === undefined) return undefined;
    const header = readHeader(options.folder);
    return header === undefined ? undefined : new Recording(options, claim, header);
  }

  private constructor(options: RecordingOptions, claim: JournalClaim, header: JournalHeader) {
    const { folder, env } = options;
    this.#options = options;
    this.#claim = claim;
    this.header = header;
    this.openRuns = new OpenRuns(header);
    this.masker = createMasker(env, { enabled: header.redact });
    this.#store = new RecordingStore(header, env, options.stores);
    this.ids = new RecordingIds({ folder, header, store: this.#store, onRunId: (id) => options.onRunId?.(id) });
    mkdirSync(join(folder, journalFiles.spool), { recursive: true, mode: 0o700 });
    this.#writer = this.#openWriter();
    this.#drain = this.#openDrain();
    this.live = this.#createLive();
    this.view = new RunView(header, this.live, {
      openStore: () => this.openStore(),
      storeRunId: () => this.ids.storeRunId,
      childRunId: () => this.ids.childRunId,
    });
    this.earlier = this.#readEarlier();
    this.openRuns.onChange = (runId, isRunning) => noteOpenRun(folder, runId, isRunning);
    this.#memo = this.earlier.memo;
    if (!this.earlier.isBegun && header.kind !== "program") beginRun(header, this.live);
  }

  /** The journal folder. */
  get folder(): string {
    return this.#options.folder;
  }

  /** The store is a tracking server, which gives ids of its own. */
  get isServer(): boolean {
    return this.#store.isServer;
  }

  /** The last attempt to store something has failed, and the next is waited for; or a server keeps silent. */
  get isStoreAway(): boolean {
    return this.#drain.isStoreAway;
  }

  /** How the tracking server behind the store is reached. */
  get access(): ServerAccess | undefined {
    return this.#store.access;
  }

  /** A repository of artifacts that the journal's own are stored in. */
  openArtifacts(artifactUri: string): ArtifactRepository {
    return this.#store.openArtifacts(artifactUri);
  }

  /** The store, for reads; and for writes too once something was stored. Rejects while it is not there. */
  openStore(): Promise<TrackingStore> {
    if (this.#isHeldBack) return Promise.reject(new StoreError("TEMPORARILY_UNAVAILABLE", "this run is offline"));
    return this.#store.openForReading();
  }

  get #isHeldBack(): boolean {
    return this.header.isOffline === true && this.#options.isReplay !== true;
  }

  /** What was said and is in the journal, from its beginning. */
  entries(): Iterable<{ readonly entry: JournalEntry }> {
    return readEntries(this.folder);
  }

  /** What was remembered beside the store's writes. */
  get memo(): JournalMemo {
    return this.#memo;
  }

  get pendingEntries(): number {
    return this.#drain.pending;
  }

  get refusedEntries(): number {
    return this.#drain.refused;
  }

  /** A promise while sources that can wait should wait. */
  get congestion(): Promise<void> | undefined {
    return this.#writer.congestion;
  }

  start(): void {
    this.#drain.start();
    if (this.#isHeldBack || this.header.isDirect !== true || this.ids.map !== undefined) return;
    const tell = (): void => this.#options.onRunId?.(this.header.runId);
    // Stopped before: nobody waits for it any more.
    this.#drain.idle().then(tell, () => undefined);
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

  /** Resolves once all that was said survives `kill -9`; at once while the journal is stuck. */
  written(): Promise<void> {
    return this.#writer.written();
  }

  /** Resolves once all that was said is on disk in the journal, or in the store. */
  async flush(level: "journal" | "store"): Promise<void> {
    this.live.commit();
    if (level === "journal") return await this.#writer.flush();
    // What is written by then goes into one transaction with what waits.
    await this.#writer.written();
    await this.#drain.idle();
  }

  /** All is in the store, or refused, within `timeoutMs`; false where it is not. */
  async settle(timeoutMs: number): Promise<boolean> {
    this.live.commit();
    return await this.#drain.settle(timeoutMs);
  }

  /** For a crash: what lies in memory goes to the journal before this returns. Throws what the disk answers. */
  writeOutNow(): void {
    this.live.commit();
    this.#writer.writeOutNow();
  }

  /** Ends this session. The folder goes once nothing in it is needed any more. */
  async close(): Promise<void> {
    this.live.commit();
    const isDone = await this.#drain.close();
    await this.#writer.close(isDone).catch((error: unknown) => this.notice("journal", String(error)));
    await this.#store.close();
    if (isDone) await retireJournal(this.folder, this.refusedEntries);
    await this.#claim.release();
  }

  #append(operation: StoreOperation, takenIn: TakenIn = {}, memo?: JournalMemo): void {
    failOnPurpose("journal");
    this.openRuns.observe(operation, memo);
    this.onOperation(operation);
    this.ids.observe(operation);
    if (memo !== undefined) this.#memo = { ...this.#memo, ...memo };
    this.#writer.append({
      receivedAt: this.#options.now(),
      attempt: this.header.attempt,
      ...takenIn,
      ...(memo !== undefined && { memo }),
      operation,
    });
  }

  #openWriter(): JournalWriter {
    return JournalWriter.open(this.folder, {
      onWritten: () => this.#drain.poke(),
      onStuck: (error) => {
        this.notice("journal", error.message);
        this.#drain.poke();
      },
    });
  }

  #openDrain(): RecordingDrain {
    return new RecordingDrain({
      folder: this.folder,
      writer: this.#writer,
      store: this.#store,
      ids: this.ids,
      isReplay: this.#options.isReplay ?? false,
      isHeldBack: this.#isHeldBack,
      notice: (kind, text) => this.notice(kind, text),
    });
  }

  #createLive(): LiveRun {
    const { runId, attempt, kind } = this.header;
    return new LiveRun({
      runId,
      isOwnId: (id) => id === this.ids.storeRunId || id === this.ids.childRunId,
      attempt,
      isOwnRunStored: kind !== "program",
      masker: this.masker,
      append: (operation, takenIn, memo) => this.#append(operation, takenIn, memo),
      isSameSpeaker: (one, other) => this.isSameSpeaker(one, other),
      warn: (warned, text) => this.notice(warned, text),
      now: this.#options.now,
    });
  }

  #readEarlier(): EarlierEntries {
    const earlier = new EarlierEntries(this.live, this.header);
    for (const { entry } of this.entries()) {
      earlier.add(entry);
      this.openRuns.observe(entry.operation, entry.memo);
    }
    return earlier;
  }
}
