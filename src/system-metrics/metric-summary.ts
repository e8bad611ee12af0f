import type { MetricValue } from "./metric-source.ts";
import { round1 } from "./metric-source.ts";

/** What goes into the tags `track.peak.<metric>` and `track.mean.<metric>`; keys without `system/`, values with one decimal. */
export interface SystemMetricsSummary {
  readonly peak: ReadonlyMap<string, number>;
  readonly mean: ReadonlyMap<string, number>;
}

interface Totals {
  peak: number;
  weighted: number;
  weight: number;
}

/** Levels: both their highest value and their mean say something. */
const levels =
  /^(?:cpu_utilization_percentage|system_memory_usage_megabytes|process_cpu_utilization_percentage|process_memory_rss_megabytes|cgroup_memory_usage_megabytes|gpu_\d+_(?:utilization_percentage|memory_usage_(?:mega|giga)bytes|power_usage_watts))$/u;
/** Only the highest value: sums since the beginning, counts, and what tells how near the end of something was. */
const peaks =
  /^(?:system_memory_usage_percentage|process_count|process_threads|process_(?:read|write)_megabytes|network_(?:receive|transmit)_megabytes|disk_usage_percentage|gpu_\d+_memory_usage_percentage)$/u;

/** Peaks, and means weighted by time: in the first minute samples are ten times as frequent. */
export class MetricSummary {
  readonly #totals = new Map<string, Totals>();

  /** `seconds`: how long the values stand for, since the sample before. */
  add(values: readonly MetricValue[], seconds: number): void {
    // A sample that stands for no time at all still counts where it is the only one.
    const weight = Math.max(seconds, 1e-6);
    for (const [key, value] of values) {
      const totals = this.#totals.get(key);
      if (totals === undefined) this.#totals.set(key, { peak: value, weighted: value * weight, weight });
      else {
        totals.peak = Math.max(totals.peak, value);
        totals.weighted += value * weight;
        totals.weight += weight;
      }
    }
  }

  /** The chosen metrics, in order of first appearance, each key prefixed. */
  summarize(prefix: string): SystemMetricsSummary {
    const peak = new Map<string, number>();
    const mean = new Map<string, number>();
    for (const [key, totals] of this.#totals) {
      const isLevel = levels.test(key);
      if (isLevel || peaks.test(key)) peak.set(prefix + key, round1(totals.peak));
      if (isLevel) mean.set(prefix + key, round1(totals.weighted / totals.weight));
    }
    return { peak, mean };
  }

  peak(key: string): number | undefined {
    return this.#totals.get(key)?.peak;
  }

  /** Mean utilization in percent of each GPU sampled, by index. */
  gpuUtilization(): ReadonlyMap<number, number> {
    const means = new Map<number, number>();
    for (const [key, totals] of this.#totals) {
      const index = /^gpu_(\d+)_utilization_percentage$/u.exec(key)?.[1];
      if (index !== undefined) means.set(Number(index), round1(totals.weighted / totals.weight));
    }
    return means;
  }
}
