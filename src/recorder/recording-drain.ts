import { Drain } from "../journal/drain.ts";
import type { JournalWriter } from "../journal/journal-writer.ts";
import { monotonicMs } from "../util/monotonic.ts";
import { succeedsWithin } from "../util/succeeds-within.ts";
import { failOnPurpose } from "../util/test-fault.ts";
import type { RecordingIds } from "./recording-ids.ts";
import type { RecordingStore } from "./recording-store.ts";
import { SilenceWatch } from "./silence-watch.ts";
import { waitingNotice } from "./waiting-notice.ts";

export interface RecordingDrainOptions {
  readonly folder: string;
  readonly writer: JournalWriter;
  readonly store: RecordingStore;
  readonly ids: RecordingIds;
  /** A journal that a later command replays. */
  readonly isReplay: boolean;
  /** Nothing is sent for now. */
  readonly isHeldBack: boolean;
  /** One line for the user; each kind is told once. */
  readonly notice: (kind: string, text: string) => void;
}

/** What was said last waits no longer for the store: a later command brings it home, which waits for nothing here. */
const lastEntriesMs = 2000;
/** What a write to a server that is under way at the end may still take. */
const lastWriteMs = 2000;
const finishMs = 30_000;
/**
 * Small writes are that far apart, since each costs a commit; the first seconds of a run are shown at once. Whoever waits for
 * the store, and the end of a run, are not kept waiting by it.
 */
const drainPace = { firstMs: 10_000, earlyMs: 500, laterMs: 5000 };
/** A cursor that is behind costs a replay of what is stored already, which changes nothing. */
const cursorIntervalMs = 5000;

/** A recording's way into its store: the drain at the pace of a run, and whether the store takes anything. */
export class RecordingDrain {
  readonly #options: RecordingDrainOptions;
  readonly #drain: Drain;
  #isStoreAway = false;
  #silence: SilenceWatch | undefined;

  constructor(options: RecordingDrainOptions) {
    this.#options = options;
    this.#drain = this.#open();
  }

  start(): void {
    if (this.#options.isHeldBack) return;
    this.#drain.start();
    if (this.#options.store.isServer) this.#silence ??= new SilenceWatch(this.#drain);
  }

  /** There is more to read. */
  poke(): void {
    this.#drain.poke();
  }

  /** The last attempt to store something has failed, and the next is waited for; or a server keeps silent. */
  get isStoreAway(): boolean {
    return this.#options.isHeldBack || this.#isStoreAway || this.#silence?.isSilent === true;
  }

  /** Entries that are neither stored nor refused. */
  get pending(): number {
    return this.#drain.pending;
  }

  get refused(): number {
    return this.#drain.refusedEntries;
  }

  /** Resolves once all that was said is stored or refused; at once where nothing is sent. Rejects once the drain is stopped. */
  async idle(): Promise<void> {
    if (!this.#options.isHeldBack) await this.#drain.idle();
  }

  /** All is stored, or refused, within `timeoutMs`; false where it is not. */
  async settle(timeoutMs: number): Promise<boolean> {
    return !this.#options.isHeldBack && (await succeedsWithin(this.#drain.idle(), timeoutMs));
  }

  /** Ends the drain; true where nothing of the journal is needed any more. */
  async close(): Promise<boolean> {
    this.#silence?.stop();
    const isDone = (await this.#isDrained()) && (await succeedsWithin(this.#drain.finish(), finishMs));
    if (!isDone) await this.#stop();
    return isDone;
  }

  async #isDrained(): Promise<boolean> {
    if (this.pending === 0) return true;
    return !this.#options.isReplay && (await this.settle(lastEntriesMs));
  }

  async #stop(): Promise<void> {
    const timer = setTimeout(() => this.#options.store.abort(), lastWriteMs);
    await this.#drain.stop();
    clearTimeout(timer);
  }

  #open(): Drain {
    const begunAt = monotonicMs();
    const { folder, writer, store, ids, isReplay, notice } = this.#options;
    return new Drain({
      folder,
      writer,
      guardAttempt: isReplay,
      paceMs: () => (monotonicMs() - begunAt < drainPace.firstMs ? drainPace.earlyMs : drainPace.laterMs),
      cursorIntervalMs,
      openStore: () => {
        failOnPurpose("store");
        return store.openForDrain();
      },
      revision: () => store.revision(),
      openArtifacts: async (info) => await Promise.resolve(store.openArtifacts(info.artifactUri)),
      ...(ids.map !== undefined && { runIds: ids.map }),
      onRefused: ({ operation: { op } }, error) =>
        notice(`refused ${op}`, `the store refused what was said (${op}): ${error.message}`),
      onParamKept: ({ key, known, tag }) =>
        notice("param", `param ${key} is ${known} already; ${tag.value} is kept as tag ${tag.key}`),
      onStateChange: (state) => {
        this.#isStoreAway = state.kind === "waiting";
        const told = waitingNotice(state);
        if (told !== undefined) notice(...told);
      },
    });
  }
}
