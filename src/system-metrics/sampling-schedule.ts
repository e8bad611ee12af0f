const denseMs = 60_000;
const denseIntervalMs = 1000;
const sparseIntervalMs = 10_000;
/** 0.5 % of one core. */
const largestShare = 0.005;
const costsKept = 3;

/**
 * When to sample. A given interval is kept as given; without one: every second in the first minute, then every ten, and
 * less often where a sample costs so much that it would take more than 0.5 % of one core. All in ms on the monotonic clock.
 */
export class SamplingSchedule {
  readonly #fixedMs: number | undefined;
  readonly #startMs: number;
  #dueMs: number;
  #costsMs: number[] = [];

  constructor(startMs: number, intervalSeconds?: number) {
    this.#fixedMs = intervalSeconds === undefined ? undefined : Math.max(intervalSeconds * 1000, 10);
    this.#startMs = startMs;
    this.#dueMs = startMs + this.intervalMs(startMs);
  }

  intervalMs(nowMs: number): number {
    if (this.#fixedMs !== undefined) return this.#fixedMs;
    const plainMs = nowMs - this.#startMs < denseMs ? denseIntervalMs : sparseIntervalMs;
    // The smallest of the latest costs: a cold or disturbed sample says nothing about the next ones.
    const costMs = this.#costsMs.length < costsKept ? 0 : Math.min(...this.#costsMs);
    return Math.max(plainMs, costMs / largestShare);
  }

  /** CPU time that a sample took. */
  addCost(costMs: number): void {
    this.#costsMs = [...this.#costsMs.slice(1 - costsKept), costMs];
  }

  /** How long to wait for the next sample; what is overdue by now (a busy or suspended machine) is skipped, not caught up. */
  delayMs(nowMs: number): number {
    const intervalMs = this.intervalMs(nowMs);
    if (this.#dueMs <= nowMs) this.#dueMs += intervalMs;
    if (this.#dueMs <= nowMs) this.#dueMs = nowMs + intervalMs;
    return this.#dueMs - nowMs;
  }
}
