import type { ScrapePosition } from "../entities/journal-entry.ts";
import { ConsoleScraper } from "../intake/scrape/console-scraper.ts";
import { recogniserMaker } from "../intake/scrape/create-recogniser.ts";
import { NextSteps } from "../intake/scrape/next-steps.ts";
import type { ScrapedRecord } from "../intake/scrape/scraped.ts";
import { messageOf } from "../util/error-code.ts";
import type { OutputReader } from "./console-recorder.ts";
import type { Recording } from "./recording.ts";

type CreateRecogniser = Awaited<ReturnType<typeof recogniserMaker>>;

/**
 * Logs the metrics that a run's console output shows. The output is read again from its first byte by each recorder, and when
 * more comes behind the end: what was taken in before is counted in the journal, and passed over.
 */
export class ConsoleMetrics {
  readonly #recording: Recording;
  readonly #createRecogniser: CreateRecogniser;
  readonly #steps: NextSteps;
  readonly #taken: ScrapePosition[];
  readonly #now: () => number;

  /** `now`: when output that is read now counts as printed, ms since the epoch. Rejects with `UsageError` for what is no pattern. */
  static async load(recording: Recording, scrape: string, now: () => number): Promise<ConsoleMetrics> {
    return new ConsoleMetrics(recording, await recogniserMaker(scrape), now);
  }

  private constructor(recording: Recording, createRecogniser: CreateRecogniser, now: () => number) {
    this.#recording = recording;
    this.#createRecogniser = createRecogniser;
    this.#taken = [...recording.earlier.scraped];
    this.#now = now;
    this.#steps = new NextSteps((key) => recording.live.metrics.get(key)?.step);
  }

  /** For one file of output, from its first byte. */
  createReader(index: number): OutputReader {
    return new MetricsReader({
      createRecogniser: this.#createRecogniser,
      now: this.#now,
      taken: () => this.#taken[index] ?? [0, 0],
      log: (record, position) => this.#log(record, index, position),
      commit: () => this.#recording.live.commit(),
      onFault: (text) => this.#recording.notice("scrape", text),
    });
  }

  #log(record: ScrapedRecord, index: number, position: ScrapePosition): void {
    const { live } = this.#recording;
    while (this.#taken.length < index) this.#taken.push([0, 0]);
    this.#taken[index] = position;
    live.noteScraped(this.#taken);
    const { metrics, timestamp } = record;
    const step = this.#steps.stepOf(record);
    live.log({ type: "batch", metrics, step, ...(timestamp !== undefined && { timestamp }) });
  }
}

interface MetricsReaderOptions {
  readonly createRecogniser: CreateRecogniser;
  readonly now: () => number;
  /** How far the file is taken in. */
  taken(): ScrapePosition;
  log(record: ScrapedRecord, position: ScrapePosition): void;
  commit(): void;
  onFault(text: string): void;
}

const newline = Buffer.from("\n");

class MetricsReader implements OutputReader {
  readonly #options: MetricsReaderOptions;
  readonly #scraper: ConsoleScraper;
  #records = 0;
  #offset = 0;
  /** Output is missing: up to this byte nobody can tell what was taken in by its number. */
  #uncertainBelow = 0;
  #hasLogged = false;
  #isBroken = false;

  constructor(options: MetricsReaderOptions) {
    this.#options = options;
    this.#scraper = new ConsoleScraper({
      createRecogniser: options.createRecogniser,
      now: options.now,
      onRecord: (record) => this.#take(record),
    });
  }

  get border(): number {
    return this.#uncertainBelow;
  }

  push(bytes: Buffer, offset: number): void {
    this.#offset = offset;
    this.#guard(() => this.#scraper.push(bytes));
  }

  skipped(offset: number): void {
    this.#guard(() => this.#scraper.push(newline));
    this.#offset = offset;
    const [records, takenOffset] = this.#options.taken();
    if (this.#records >= records) return;
    this.#records = records;
    this.#uncertainBelow = takenOffset;
  }

  finish(): void {
    this.#guard(() => this.#scraper.finish());
  }

  #take(record: ScrapedRecord): void {
    if (this.#offset <= this.#uncertainBelow) return;
    this.#records += 1;
    if (this.#records <= this.#options.taken()[0]) return;
    this.#options.log(record, [this.#records, this.#offset]);
    this.#hasLogged = true;
  }

  /** A line that we trip over must not end the recording of everything else. */
  #guard(read: () => void): void {
    if (this.#isBroken) return;
    try {
      read();
    } catch (error) {
      this.#isBroken = true;
      this.#options.onFault(`no more metrics are taken from the output: ${messageOf(error)}`);
    }
    if (this.#hasLogged) this.#options.commit();
    this.#hasLogged = false;
  }
}
