/** One measured number and what it is held against. */
export interface Figure {
  readonly name: string;
  readonly unit: string;
  /** The median, where it was measured more than once. */
  readonly ours: number;
  readonly baseline?: Baseline;
  /** Absent: told for information. */
  readonly limit?: Limit;
  /** Further numbers for the report; each name says its unit. */
  readonly details?: Readonly<Record<string, number>>;
}

export interface Baseline {
  readonly name: string;
  readonly value: number;
}

export interface Limit {
  /** `ratio`: ours by baseline; `ours`: the number itself. */
  readonly of: "ratio" | "ours";
  readonly kind: "at most" | "at least";
  readonly value: number;
}

export type Report = (figure: Figure) => void;

/** Ours by the baseline's; `undefined` without one. */
export function ratioOf({ ours, baseline }: Figure): number | undefined {
  return baseline === undefined ? undefined : ours / baseline.value;
}

/** `undefined` for a figure without a limit. */
export function isWithinLimit(figure: Figure): boolean | undefined {
  const { limit } = figure;
  if (limit === undefined) return undefined;
  const value = limit.of === "ours" ? figure.ours : ratioOf(figure);
  if (value === undefined || !Number.isFinite(value)) return false;
  return limit.kind === "at most" ? value <= limit.value : value >= limit.value;
}

/** `start  child runs, new folder   41.2 ms   node -e 0 23.0 ms   1.79 x   at most 1.8 x   ok`. */
export function formatFigure(bench: string, figure: Figure): string {
  const { name, unit, ours, baseline, limit } = figure;
  const ratio = ratioOf(figure);
  const limitUnit = limit?.of === "ratio" ? "x" : unit;
  const isOk = isWithinLimit(figure);
  return [
    bench.padEnd(9),
    name.padEnd(44),
    formatValue(ours, unit).padStart(16),
    (baseline === undefined ? "" : `${baseline.name} ${formatValue(baseline.value, unit)}`).padStart(34),
    (ratio === undefined ? "" : `${ratio.toFixed(2)} x`).padStart(9),
    (limit === undefined ? "" : `${limit.kind} ${limit.value} ${limitUnit}`).padStart(17),
    isOk === undefined ? "" : isOk ? "ok" : "MISSED",
  ]
    .join("  ")
    .trimEnd();
}

function formatValue(value: number, unit: string): string {
  const digits = Math.abs(value) >= 1000 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return `${value.toFixed(digits)} ${unit}`;
}

export const atMost = (value: number, of: Limit["of"] = "ratio"): Limit => ({ of, kind: "at most", value });
export const atLeast = (value: number, of: Limit["of"] = "ratio"): Limit => ({ of, kind: "at least", value });

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** By linear interpolation; NaN of nothing. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((left, right) => left - right);
  const position = (sorted.length - 1) * part;
  const below = sorted[Math.floor(position)] ?? Number.NaN;
  const above = sorted[Math.ceil(position)] ?? Number.NaN;
  return below + (above - below) * (position - Math.floor(position));
}
