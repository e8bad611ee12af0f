import type { Metric } from "../entities/metric.ts";

interface LatestMetric {
  value: number;
  timestamp: number;
  step: number;
}

/** The latest point of each key by MLflow's rule: the greatest (step, timestamp, value), NaN compared as 0. */
export class LatestMetrics {
  readonly #points = new Map<string, LatestMetric>();

  get points(): ReadonlyMap<string, Readonly<LatestMetric>> {
    return this.#points;
  }

  note(key: string, value: number, timestamp: number, step: number): void {
    const known = this.#points.get(key);
    if (known === undefined) {
      this.#points.set(key, { value, timestamp, step });
      return;
    }
    if (step < known.step || (step === known.step && timestamp < known.timestamp)) return;
    if (step === known.step && timestamp === known.timestamp && !((value || 0) > (known.value || 0))) return;
    known.value = value;
    known.timestamp = timestamp;
    known.step = step;
  }

  toList(): readonly Metric[] {
    return Array.from(this.#points, ([key, latest]): Metric => ({ key, ...latest }));
  }
}
