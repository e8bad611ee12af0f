import type { LineRecogniser } from "./auto-recogniser.ts";
import type { Finding, ScrapedRecord } from "./scraped.ts";
import type { Seen } from "./progress-bars.ts";
import { TerminalLines } from "./terminal-lines.ts";

export interface ConsoleScraperOptions {
  /** Makes the recogniser, which tells what it finds by `onFinding`. */
  createRecogniser(onFinding: (finding: Finding, seen: Seen) => void): LineRecogniser;
  onRecord(record: ScrapedRecord): void;
  /** ms since the epoch; absent: records bear no time. */
  now?(): number;
}

/**
 * Reads one stream of console output and hands on the metrics in it, in the order of the stream. The same bytes give the same
 * records, however they are cut into chunks.
 */
export class ConsoleScraper {
  readonly #options: ConsoleScraperOptions;
  readonly #lines = new TerminalLines((text, isFinal) => this.#line(text, isFinal));
  readonly #recogniser: LineRecogniser;
  #count = 1;

  constructor(options: ConsoleScraperOptions) {
    this.#options = options;
    this.#recogniser = options.createRecogniser((finding, seen) => options.onRecord({ ...finding, ...seen }));
  }

  push(bytes: Buffer): void {
    this.#lines.push(bytes);
  }

  /** The output is over: what is still open counts as it stands. */
  finish(): void {
    this.#lines.finish();
    this.#recogniser.finish();
  }

  #line(text: string, isFinal: boolean): void {
    const timestamp = this.#options.now?.();
    this.#recogniser.line(text, isFinal, { line: this.#count, ...(timestamp !== undefined && { timestamp }) });
    if (isFinal) this.#count += 1;
  }
}
