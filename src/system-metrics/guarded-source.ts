import { messageOf } from "../util/error-code.ts";
import type { MetricSource, MetricValue } from "./metric-source.ts";

const allowedFailures = 3;

/**
 * A source that cannot hurt: what it throws costs that sample its values, and after three times in a row the source is
 * switched off with one notice. Recording never hurts the training, so every error is caught here.
 */
export class GuardedSource {
  readonly #source: MetricSource;
  readonly #onNotice: (text: string) => void;
  #failures = 0;

  constructor(source: MetricSource, onNotice: (text: string) => void) {
    this.#source = source;
    this.#onNotice = onNotice;
  }

  sample(monotonicMs: number): readonly MetricValue[] {
    if (this.#failures >= allowedFailures) return [];
    try {
      const values = Array.from(this.#source.sample(monotonicMs)).filter(([, value]) => Number.isFinite(value));
      this.#failures = 0;
      return values;
    } catch (error) {
      this.#failures += 1;
      if (this.#failures === allowedFailures) {
        this.#onNotice(`no longer sampled: ${this.#source.name} (${messageOf(error)})`);
        this.close();
      }
      return [];
    }
  }

  close(): void {
    try {
      this.#source.close?.();
    } catch {
      // Closing what is closed already: nothing is lost.
    }
  }
}
