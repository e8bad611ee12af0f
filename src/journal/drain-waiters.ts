import { StoreError } from "../errors.ts";

interface Waiter {
  readonly sequence: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** Those who wait until the drain has come as far as they said. */
export class DrainWaiters {
  #waiters: Waiter[] = [];

  get isEmpty(): boolean {
    return this.#waiters.length === 0;
  }

  /** Resolves once the entry `sequence` is stored or refused; `Infinity`: once nothing is left. Rejects where the drain stops before. */
  wait(sequence: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiters.push({ sequence, resolve, reject });
    });
  }

  /** All entries up to `sequence` are stored or refused. */
  reached(sequence: number): void {
    const waiters = this.#waiters;
    this.#waiters = waiters.filter((waiter) => waiter.sequence > sequence);
    for (const waiter of waiters) if (waiter.sequence <= sequence) waiter.resolve();
  }

  /** Nothing more comes. */
  stopped(): void {
    for (const waiter of this.#waiters.splice(0)) waiter.reject(stoppedError());
  }
}

/** What those are told who wait for a drain that goes no further. */
export const stoppedError = (): StoreError =>
  new StoreError("TEMPORARILY_UNAVAILABLE", "the journal is not drained further");
