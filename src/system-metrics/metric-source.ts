/** One value of a sample; the key without `system/` and without the node id. */
export type MetricValue = readonly [key: string, value: number];

/**
 * One thing that is sampled. The constructor takes the baseline for rates and differences and throws `SourceMissing` where
 * the machine has no such thing; `sample` may throw, the monitor guards it. Values are final: rounded as MLflow rounds them.
 */
export interface MetricSource {
  /** As a notice names it: "process tree". */
  readonly name: string;
  /** `monotonicMs`: from a clock that no one sets. */
  sample(monotonicMs: number): Iterable<MetricValue>;
  close?(): void;
}

/** The machine does not offer this source; the message is what a notice puts in brackets. */
export class SourceMissing extends Error {
  readonly source: string;

  constructor(source: string, reason: string) {
    super(reason);
    this.name = "SourceMissing";
    this.source = source;
  }
}

/** One decimal, as MLflow rounds a logged mean. */
export const round1 = (value: number): number => Math.round(value * 10) / 10;

export const megabytes = (bytes: number): number => bytes / 1e6;

/** A share in percent with one decimal, as psutil's; 0 where the whole is 0. */
export const percentOf = (part: number, whole: number): number => (whole > 0 ? round1((part / whole) * 100) : 0);
