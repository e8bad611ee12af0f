import type { StoreOperation } from "../entities/journal-entry.ts";
import { StoreError } from "../errors.ts";
import { canGroup, type TrackingStore } from "../store/tracking-store.ts";
import type { ApplyContext } from "./apply-operation.ts";
import { applyOperation } from "./apply-operation.ts";
import { isWorthWaiting, refusalOf, retryDelayMs } from "./backoff.ts";
import { Sleeper } from "./sleeper.ts";

/** `stopped`: neither stored nor refused. */
export type WriteOutcome =
  | { readonly kind: "stored" | "stopped" }
  | { readonly kind: "refused"; readonly error: StoreError };

export interface PatientStoreOptions {
  readonly openStore: () => Promise<TrackingStore>;
  readonly onOpened: () => void;
  /** `attempt`: the how manieth failure of this write. */
  readonly onWaiting: (error: StoreError, retryInMs: number, attempt: number) => void;
}

/** Some 6 s of them. */
const serverFaultsAllowed = 8;

/** A store that is opened at the first write and waited for without end while it is locked or away. Nothing that it throws gets out. */
export class PatientStore {
  readonly #options: PatientStoreOptions;
  readonly #sleeper = new Sleeper();
  #store: TrackingStore | undefined;
  #isStopped = false;

  constructor(options: PatientStoreOptions) {
    this.#options = options;
  }

  async write(operation: StoreOperation, context: ApplyContext): Promise<WriteOutcome> {
    let serverFaults = 0;
    for (let attempt = 1; !this.#isStopped; attempt += 1) {
      // A store that cannot be opened is no entry's fault, whatever the error: the journal waits.
      let isBlameless = true;
      try {
        const store = await this.#open();
        isBlameless = false;
        await applyOperation(store, operation, context);
        return { kind: "stored" };
      } catch (error) {
        if (!isBlameless && !isWorthWaiting(error, operation)) return { kind: "refused", error: refusalOf(error) };
        serverFaults = error instanceof StoreError && error.isServerFault ? serverFaults + 1 : 0;
        if (serverFaults >= serverFaultsAllowed && (await this.#isAnswering())) {
          return { kind: "refused", error: refusalOf(error) };
        }
        await this.#wait(error, attempt);
      }
    }
    return { kind: "stopped" };
  }

  /** Writes all of them as one, where the store can. False, and nothing is written, where anything stands in the way of any of them. */
  async writeTogether(writes: readonly { operation: StoreOperation; context: ApplyContext }[]): Promise<boolean> {
    if (this.#isStopped) return false;
    try {
      const store = await this.#open();
      if (!canGroup(store)) return false;
      await store.together(async (transaction) => {
        for (const { operation, context } of writes) await applyOperation(transaction, operation, context);
      });
      return true;
    } catch {
      // Each by itself tells what it was, waits or is set aside.
      return false;
    }
  }

  /** Ends a wait; writes from now on are `stopped`. */
  stop(): void {
    this.#isStopped = true;
    this.#sleeper.wake();
  }

  async close(): Promise<void> {
    const store = this.#store;
    this.#store = undefined;
    await store?.[Symbol.asyncDispose]();
  }

  /** A server that fails at one entry again and again, and does else what it is asked for, will not take that entry. */
  async #isAnswering(): Promise<boolean> {
    try {
      await this.#store?.searchExperiments({ maxResults: 1 });
      return true;
    } catch (error) {
      if (error instanceof StoreError) return false;
      throw error;
    }
  }

  async #open(): Promise<TrackingStore> {
    if (this.#store === undefined) {
      this.#store = await this.#options.openStore();
      this.#options.onOpened();
    }
    return this.#store;
  }

  async #wait(error: unknown, attempt: number): Promise<void> {
    const retryInMs = retryDelayMs(error, attempt);
    this.#options.onWaiting(refusalOf(error), retryInMs, attempt);
    if (!this.#isStopped) await this.#sleeper.sleep(retryInMs);
  }
}
