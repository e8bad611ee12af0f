import type { ScrapedRecord } from "./scraped.ts";

/** Gives a record that names no step the next one of its metrics. */
export class NextSteps {
  readonly #last = new Map<string, number>();
  readonly #known: (key: string) => number | undefined;

  /** `known`: the last step of a metric that was said elsewhere, or before. */
  constructor(known: (key: string) => number | undefined = () => undefined) {
    this.#known = known;
  }

  /** The step of the record, which counts as said from now on. */
  stepOf({ metrics, step }: ScrapedRecord): number {
    const given = step ?? Math.max(0, ...metrics.map(([key]) => (this.#lastOf(key) ?? -1) + 1));
    for (const [key] of metrics) this.#last.set(key, Math.max(given, this.#last.get(key) ?? given));
    return given;
  }

  #lastOf(key: string): number | undefined {
    const own = this.#last.get(key);
    const known = this.#known(key);
    return own === undefined || known === undefined ? (own ?? known) : Math.max(own, known);
  }
}
