import { formatNumber } from "./format-number.ts";

/** From values to places on an axis: 0 at `low`, 1 at `high`. */
export interface Scale {
  readonly low: number;
  readonly high: number;
  /** NaN for what has no place: NaN, infinite, and on a logarithmic axis 0 and below. */
  place(value: number): number;
  readonly ticks: readonly Tick[];
}

export interface Tick {
  readonly value: number;
  readonly label: string;
}

/** An axis of numbers whose ticks are round, `most` of them at most and not closer than `leastStep`. A single value gets some room around it. */
export function linearScale(values: readonly number[], most: number, leastStep = 0): Scale {
  const [low, high] = widen(...extent(values));
  const step = Math.max(leastStep, tickStep(low, high, most));
  const ticks = multiples(step, low, high).map((value) => ({ value, label: labelOf(value, step) }));
  return { low, high, place: (value) => (isPlaced(value) ? (value - low) / (high - low) : Number.NaN), ticks };
}

/** A logarithmic axis of what is above 0. Ticks at powers of ten, or finer where there is less than two of them. */
export function logScale(values: readonly number[], most: number): Scale {
  const positive = values.filter((value) => value > 0);
  const [first, last] = extent(positive);
  const [low, high] = first === last ? [first / 2, first * 2] : [first, last];
  const [logLow, logHigh] = [Math.log10(low), Math.log10(high)];
  const place = (value: number) =>
    value > 0 && isPlaced(value) ? (Math.log10(value) - logLow) / (logHigh - logLow) : Number.NaN;
  return { low, high, place, ticks: logTicks(low, high, most) };
}

function logTicks(low: number, high: number, most: number): readonly Tick[] {
  const first = Math.floor(Math.log10(low));
  const last = Math.ceil(Math.log10(high));
  const exponents = Array.from({ length: Math.min(last - first + 1, 700) }, (_, index) => first + index);
  const inside = (value: number) => value >= low * (1 - 1e-9) && value <= high * (1 + 1e-9);
  for (const factors of [[1, 2, 3, 5, 7], [1, 2, 5], [1, 3], [1]]) {
    const found = exponents.flatMap((power) => factors.map((factor) => factor * 10 ** power)).filter(inside);
    if (found.length <= most && found.length >= 2) return found.map(toTick);
  }
  const stride = Math.ceil(exponents.length / Math.max(1, most));
  const found = exponents.filter((_, index) => index % stride === 0).map((power) => 10 ** power);
  const ticks = found.filter(inside).map(toTick);
  // Values within less than a power of ten: a linear step tells more than a single tick.
  return ticks.length >= 2 ? ticks : linearScale([low, high], most).ticks.filter(({ value }) => value > 0);
}

const toTick = (value: number): Tick => ({ value, label: formatNumber(Number(value.toPrecision(12))) });

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;
const timeSteps = [
  [1, [1, 2, 5, 10, 20, 50, 100, 200, 500]],
  [second, [1, 2, 5, 10, 15, 30]],
  [minute, [1, 2, 5, 10, 15, 30]],
  [hour, [1, 2, 3, 6, 12]],
  [day, [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]],
] as const;
const allTimeSteps = timeSteps.flatMap(([unit, counts]) => counts.map((count) => count * unit));

/** An axis of durations in ms: `0`, `30 s`, `5 min`, `2 h`. */
export function durationScale(values: readonly number[], most: number): Scale {
  const { low, high, place } = linearScale(values, 2);
  const step = timeStep(low, high, most);
  const [size, unit] =
    step >= day
      ? [day, "d"]
      : step >= hour
        ? [hour, "h"]
        : step >= minute
          ? [minute, "min"]
          : step >= second
            ? [second, "s"]
            : [1, "ms"];
  const label = (value: number) => (value === 0 ? "0" : `${formatNumber(value / size)} ${unit}`);
  return { low, high, place, ticks: multiples(step, low, high).map((value) => ({ value, label: label(value) })) };
}

/** An axis of moments, ms since the epoch, in the reader's time: `22:05`, `22:05:30`, `11-24 22:05`, `2025-11-24`. */
export function timeScale(values: readonly number[], most: number): Scale {
  const { low, high, place } = linearScale(values, 2);
  const step = timeStep(low, high, most);
  const offset = new Date(low).getTimezoneOffset() * minute;
  const spansDays = high - low > 20 * hour;
  const ticks = multiples(step, low - offset, high - offset).map((local) => ({
    value: local + offset,
    label: timeLabel(local + offset, { step, spansDays }),
  }));
  return { low, high, place, ticks };
}

function timeStep(low: number, high: number, most: number): number {
  const fits = (step: number) => Math.floor(high / step) - Math.ceil(low / step) < most;
  return allTimeSteps.find(fits) ?? roundStep((high - low) / Math.max(1, most - 1) / day) * day;
}

function timeLabel(time: number, { step, spansDays }: { readonly step: number; readonly spansDays: boolean }): string {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return formatNumber(time);
  const two = (value: number) => String(value).padStart(2, "0");
  const dayText = `${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  if (step >= day) return `${date.getFullYear()}-${dayText}`;
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}`;
  if (step < second) return `${clock}:${two(date.getSeconds())}.${String(date.getMilliseconds()).padStart(3, "0")}`;
  if (step < minute) return `${clock}:${two(date.getSeconds())}`;
  return spansDays ? `${dayText} ${clock}` : clock;
}

/** The smallest round step with `most` ticks at most. */
function tickStep(low: number, high: number, most: number): number {
  let step = roundStep((high - low) / (most + 1));
  while (multiples(step, low, high).length > most) step = roundStep(step * 1.5);
  return step;
}

/** 1, 2 or 5 times a power of ten, not less than `least`. */
function roundStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  const factor = [1, 2, 5].find((one) => one * power >= least * (1 - 1e-9)) ?? 10;
  return factor * power;
}

function multiples(step: number, low: number, high: number): readonly number[] {
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  const count = Math.min(100, last - first + 1);
  // Adding 0 makes -0 a 0.
  return Array.from({ length: Math.max(0, count) }, (_, index) => (first + index) * step + 0);
}

/** With the digits that tell neighbouring ticks apart. */
function labelOf(value: number, step: number): string {
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  if (digits <= 6 && Math.abs(value) < 1e6) return value.toFixed(digits);
  return formatNumber(Number(value.toPrecision(10)));
}

/** Lowest and highest of the values that have a place; 0 and 1 where there is none. */
export function extent(values: readonly number[]): readonly [low: number, high: number] {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    if (!isPlaced(value)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low > high ? [0, 1] : [low, high];
}

/** MLflow stores infinite values as the greatest double. */
export function isPlaced(value: number): boolean {
  return Math.abs(value) < 1.797e308;
}

function widen(low: number, high: number): readonly [low: number, high: number] {
  if (low < high) return [low, high];
  const room = low === 0 ? 1 : Math.abs(low) / 10;
  return [low - room, high + room];
}
