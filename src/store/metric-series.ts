import type { TrackingStore } from "./tracking-store.ts";

/** One place of a curve. Where it stands for several points, `value` is their mean, `low` and `high` their extremes. */
export interface SeriesPoint {
  readonly step: number;
  /** ms since the epoch. */
  readonly timestamp: number;
  /** NaN where all points are. */
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/** The history of one metric of one run as a curve. */
export interface MetricSeries {
  readonly key: string;
  /** Points that were logged, all of them looked at. */
  readonly count: number;
  /** In the order of arrival. */
  readonly points: readonly SeriesPoint[];
  /** False where there were so many points that neighbours were put together. */
  readonly isExact: boolean;
}

/** A store that can give curves of a bounded number of places, a fifth of a second for a million points. Optional: asked for by `hasMetricSeries`. */
export interface MetricSeriesReader {
  /** In the order of `keys`; a key that the run has not is left out. */
  getMetricSeries(runId: string, keys: readonly string[]): Promise<readonly MetricSeries[]>;
}

export function hasMetricSeries(store: TrackingStore): store is TrackingStore & MetricSeriesReader {
  return "getMetricSeries" in store;
}
