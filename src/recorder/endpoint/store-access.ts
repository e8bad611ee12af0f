import { setTimeout as sleep } from "node:timers/promises";
import { doesNotExist, isTransient, StoreError } from "../../errors.ts";
import type { TrackingStore } from "../../store/tracking-store.ts";
import { monotonicMs } from "../../util/monotonic.ts";
import { asToldToClients } from "./server-away.ts";

export interface StoreAccessOptions {
  /** Rejects while there is no store yet. */
  openStore(): Promise<TrackingStore>;
  /** Resolves to false where not all that was said is stored within `timeoutMs`. */
  settle(timeoutMs: number): Promise<boolean>;
  /** Behind it is a server, which may be away for hours, and not a database that is locked for a moment. */
  readonly isServer: boolean;
  /** It is known to be away. */
  readonly isStoreAway: boolean;
}

/** What only the store knows waits that long for what was said before. */
const drainWaitMs = 2000;
/** A lock is waited for that long: MLflow's client waits 120 s for an answer, our own server closes what is silent for 60 s. */
const patienceMs = 50_000;
const serverPatienceMs = 5000;
const retryMs = 100;

/** The store behind the journal, for what the journal cannot answer. A lock or a store that is not there yet is waited for. */
export class StoreAccess {
  readonly #options: StoreAccessOptions;

  constructor(options: StoreAccessOptions) {
    this.#options = options;
  }

  /** Behind what was said before, as far as that is stored within 2 s. */
  async read<Answer>(ask: (store: TrackingStore) => Promise<Answer>): Promise<Answer> {
    const isSettled = await this.settle();
    try {
      return await this.#ask(ask, this.#patienceMs);
    } catch (error) {
      // What is still on its way may be the very thing.
      if (isSettled || !isMissing(error) || !(await this.#options.settle(this.#patienceMs))) {
        throw this.#options.isServer ? asToldToClients(error) : error;
      }
      return await this.#ask(ask, this.#patienceMs);
    }
  }

  /** What was said before is stored; false where that takes over 2 s, and at once while a server is away. */
  async settle(): Promise<boolean> {
    if (this.#options.isServer && this.#options.isStoreAway) return false;
    return await this.#options.settle(drainWaitMs);
  }

  /** A server that answers, and has all that was said before; where it fails, that takes 2 s at most. */
  async isUpToDate(): Promise<boolean> {
    if (!(await this.settle())) return false;
    try {
      return (await this.readSoon((store) => store.searchExperiments({ maxResults: 1 }), drainWaitMs)) !== undefined;
    } catch (error) {
      // It refuses that, and so is there.
      if (error instanceof StoreError) return true;
      throw error;
    }
  }

  get #patienceMs(): number {
    return this.#options.isServer ? serverPatienceMs : patienceMs;
  }

  /** For what does not change, or was not written by us: without waiting for what was said before. `undefined` where it takes too long. */
  async readSoon<Answer>(ask: (store: TrackingStore) => Promise<Answer>, waitMs: number): Promise<Answer | undefined> {
    try {
      return await this.#ask(ask, waitMs);
    } catch (error) {
      if (isTransient(error)) return undefined;
      throw error;
    }
  }

  /** Strictly behind all that was said before, for writes that go past the journal. */
  async write<Answer>(ask: (store: TrackingStore) => Promise<Answer>): Promise<Answer> {
    if (!(await this.#options.settle(this.#patienceMs))) {
      throw new StoreError("TEMPORARILY_UNAVAILABLE", "the store cannot be written for now");
    }
    return await this.#ask(ask, this.#patienceMs);
  }

  async #ask<Answer>(ask: (store: TrackingStore) => Promise<Answer>, waitMs: number): Promise<Answer> {
    const deadline = monotonicMs() + waitMs;
    for (;;) {
      let isOpen = false;
      try {
        const store = await this.#options.openStore();
        isOpen = true;
        return await ask(store);
      } catch (error) {
        const isWorthWaiting = isTransient(error) || (!isOpen && isMissing(error));
        if (!isWorthWaiting) throw error;
        if (monotonicMs() >= deadline) {
          throw isTransient(error) ? error : new StoreError("TEMPORARILY_UNAVAILABLE", "there is no store yet");
        }
      }
      await sleep(retryMs);
    }
  }
}

/** The answer of a store that was asked and has it not. */
export function isMissing(error: unknown): boolean {
  return error instanceof StoreError && error.errorCode === "RESOURCE_DOES_NOT_EXIST";
}

export const noRun = (runId: string): StoreError => doesNotExist(`Run with id=${runId} not found`);
