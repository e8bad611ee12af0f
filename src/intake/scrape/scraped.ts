/** A metric by the name that it will be stored under. */
export type ScrapedMetric = readonly [key: string, value: number];

/** What one line, or one state of a progress bar, said. */
export interface ScrapedRecord {
  readonly metrics: readonly ScrapedMetric[];
  /** Absent: the line named none; the next one of these metrics is meant. */
  readonly step?: number;
  /** Number of the line, from 1; what is drawn over counts as one with what is drawn over it. */
  readonly line: number;
  /** Which recogniser it was. */
  readonly by: string;
  /** When it was seen, ms since the epoch; absent where nobody said. */
  readonly timestamp?: number;
}

/** What a recogniser found; the line's number and the time are added by its owner. */
export type Finding = Pick<ScrapedRecord, "metrics" | "step" | "by">;
