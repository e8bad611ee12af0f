import type { TrackingStore } from "./tracking-store.ts";

/** What a reader of one metric wants to see at a glance. NaN counts as a point, but never as `min` or `max`. */
export interface MetricSummary {
  readonly key: string;
  /** Points that were looked at: all of them when `isComplete`. */
  readonly count: number;
  /** Absent when every point is NaN. */
  readonly min?: number;
  readonly max?: number;
  /** At most `seriesLength` values, means of neighbours, in the order of arrival. */
  readonly series: readonly number[];
  /** False for a run with so many points that only a sample was read; `min` and `max` are then of the sample. */
  readonly isComplete: boolean;
}

/** A store that can sum up the history of a run's metrics, in a few ms whatever its length. Optional: asked for by `hasMetricSummaries`. */
export interface MetricSummaries {
  /** Sorted by key; a rare key of a sampled run may be missing. */
  getMetricSummaries(runId: string, options: { readonly seriesLength: number }): Promise<readonly MetricSummary[]>;
}

export function hasMetricSummaries(store: TrackingStore): store is TrackingStore & MetricSummaries {
  return "getMetricSummaries" in store;
}
