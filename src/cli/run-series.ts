import type { Metric } from "../entities/metric.ts";
import type { Run } from "../entities/run.ts";
import { hasMetricSeries, type MetricSeries, type SeriesPoint } from "../store/metric-series.ts";
import type { TrackingStore } from "../store/tracking-store.ts";
import type { ChartAxis, ChartLine } from "./chart.ts";

/** A metric of a run with its history. */
export interface RunSeries extends MetricSeries {
  readonly run: Run;
}

/** Those of the metrics that the run has, in the order of `keys`. */
export async function readRunSeries(
  store: TrackingStore,
  run: Run,
  keys: readonly string[],
): Promise<readonly RunSeries[]> {
  const { runId } = run.info;
  const own = keys.filter((key) => run.data.metrics.some((metric) => metric.key === key));
  const list = hasMetricSeries(store)
    ? await store.getMetricSeries(runId, own)
    : await Promise.all(own.map((key) => readHistory(store, runId, key)));
  return list.map((series) => ({ ...series, run }));
}

async function readHistory(store: TrackingStore, runId: string, key: string): Promise<MetricSeries> {
  const points: SeriesPoint[] = [];
  let pageToken: string | undefined;
  do {
    const page = await store.getMetricHistory(runId, key, {
      maxResults: 25_000,
      ...(pageToken !== undefined && { pageToken }),
    });
    for (const metric of page.items) points.push(toPoint(metric));
    pageToken = page.nextPageToken;
  } while (pageToken !== undefined);
  return { key, count: points.length, points, isExact: true };
}

function toPoint({ step, timestamp, value }: Metric): SeriesPoint {
  return { step, timestamp, value, low: value, high: value };
}

/** Where a point lies on an axis: its step, its time, or the ms since the run began. */
export function axisValue(axis: ChartAxis, run: Run, point: SeriesPoint): number {
  if (axis === "step") return point.step;
  return axis === "time" ? point.timestamp : point.timestamp - run.info.startTime;
}

/** As a chart draws it, from left to right. */
export function toChartLine(series: RunSeries, axis: ChartAxis, label: string): ChartLine {
  const points = series.points.map((point) => ({ ...point, x: axisValue(axis, series.run, point) }));
  return { label, points: points.toSorted((one, other) => one.x - other.x) };
}

/**
 * Exponential moving average, the weight of what was before `factor` (0 to 1), unbiased at its beginning as TensorBoard's.
 * Gaps stay gaps and weigh nothing.
 */
export function smooth(series: RunSeries, factor: number): RunSeries {
  let average = 0;
  let weight = 0;
  const points = series.points.map((point) => {
    if (!(Math.abs(point.value) < 1.797e308)) return point;
    average = average * factor + point.value * (1 - factor);
    weight = weight * factor + (1 - factor);
    const value = average / weight;
    return { ...point, value, low: value, high: value };
  });
  return { ...series, points };
}
