import type { Tag } from "../entities/tag.ts";
import { truncateParamValue } from "../entities/validation.ts";
import { numberToJson } from "../wire/rest-json.ts";
import { ActiveRun } from "./active-run.ts";
import {
  checkMetricValue,
  checkName,
  checkOptions,
  checkRecord,
  checkStep,
  checkTimestamp,
  type TextValue,
  textOf,
} from "./argument-checks.ts";
import type { RunLog } from "./run-log.ts";
import { slotForLogging } from "./runs.ts";

/** What a log call gives: it may be awaited, and needs not be. Only that of a param rejects, where it is awaited. */
export type Logged = PromiseLike<void>;

export interface MetricOptions {
  /** A whole number, by default 0. */
  readonly step?: number;
  /** ms since the epoch, by default now. */
  readonly timestamp?: number;
}

const optionFields = ["step", "timestamp"];
const heads = new Map<string, string>();
const rememberedHeads = 10_000;

/**
 * Logs one point of a metric to the active run; without one a run is started. Returns at once; what is said is stored in its order. The
 * promise resolves when there is room for more, which is at once while the recorder keeps up: a loop at full speed awaits it, or
 * `flush()` now and then, so that memory does not grow. It never rejects. NaN and infinities are allowed.
 * Throws `INVALID_PARAMETER_VALUE` for a name, number, step or timestamp that MLflow does not take (contract 3).
 */
export function logMetric(key: string, value: number, options?: MetricOptions): Logged {
  checkName("metric", key);
  checkMetricValue(key, value);
  const slot = slotForLogging();
  const line = headOf(key) + numberText(value) + pointEnd(options);
  const { run } = slot;
  if (run !== undefined) return ActiveRun.logOf(run).write(line);
  slot.withRun((opened) => void ActiveRun.logOf(opened).write(line));
  return slot.opened.then(ignore, ignore);
}

/** The same for several metrics of one step and time. */
export function logMetrics(metrics: Readonly<Record<string, number>>, options?: MetricOptions): Logged {
  checkRecord("metrics", metrics);
  const points = Object.entries(metrics).map(([key, value]) => {
    checkName("metric", key);
    checkMetricValue(key, value);
    return `${JSON.stringify(key)}:${numberText(value)}`;
  });
  const end = pointEnd(options);
  return points.length === 0 ? done : said((log) => log.write(`{"metrics":{${points.join(",")}${end}`));
}

/**
 * Logs a param of the active run; without one a run is started. Its text is that of `String(value)`, an object's its JSON; over 6,000
 * characters it is cut. Params are written once: another value for a known one throws `INVALID_PARAMETER_VALUE` (contract 3). Where only the store
 * knows the other value, since somebody else has logged it, the promise rejects so, and `onError` hears of it; nothing is to be caught
 * where it is not awaited.
 */
export function logParam(key: string, value: TextValue): Logged {
  return logParams({ [key]: value });
}

/** The same for several params; nothing of them is logged where one is wrong. */
export function logParams(params: Readonly<Record<string, TextValue>>): Logged {
  checkRecord("params", params);
  const pairs = Object.entries(params).map(([key, value]) => {
    checkName("param", key);
    return [key, truncateParamValue(textOf("param", key, value)).value] as const;
  });
  const { run } = slotForLogging();
  if (run !== undefined) ActiveRun.logOf(run).refuseChanged(pairs);
  return pairs.length === 0 ? done : said((log) => log.writeParams(pairs));
}

/** Sets a tag of the active run, the last value counts; without a run one is started. Over 8,000 characters it is cut (contract 3). */
export function setTag(key: string, value: TextValue): Logged {
  return setTags({ [key]: value });
}

/** The same for several tags. */
export function setTags(tags: Readonly<Record<string, TextValue>>): Logged {
  checkRecord("tags", tags);
  const pairs = Object.entries(tags).map(([key, value]) => {
    checkName("tag", key);
    return { key, value: textOf("tag", key, value) };
  });
  return pairs.length === 0 ? done : said((log) => log.write(tagLine(pairs)));
}

export const tagLine = (tags: readonly Tag[]): string =>
  `{"tags":${JSON.stringify(Object.fromEntries(tags.map(({ key, value }) => [key, value])))}`;

/** Calls `use` with the run of this log call, now or once it is open. */
export function said(use: (log: RunLog) => Promise<void>): Promise<void> {
  const slot = slotForLogging();
  if (slot.run !== undefined) return use(ActiveRun.logOf(slot.run));
  const { promise, resolve } = Promise.withResolvers<void>();
  slot.withRun((run) => resolve(use(ActiveRun.logOf(run))));
  // A run that is not to be had is told by whoever starts it.
  slot.opened.catch(() => resolve());
  promise.catch(ignore);
  return promise;
}

const done = Promise.resolve();
const ignore = (): void => {};

/** The beginning of a metric's line; a program says the same few a million times. */
function headOf(key: string): string {
  const known = heads.get(key);
  if (known !== undefined) return known;
  if (heads.size >= rememberedHeads) heads.clear();
  const head = `{"metrics":{${JSON.stringify(key)}:`;
  heads.set(key, head);
  return head;
}

const numberText = (value: number): string =>
  Number.isFinite(value) ? String(value) : JSON.stringify(numberToJson(value));

function pointEnd(options: MetricOptions | undefined): string {
  if (options === undefined) return `},"step":0,"timestamp":${Date.now()}`;
  // The hot path: nothing is allocated where all is well.
  if (typeof options !== "object" || options === null) checkOptions("logMetric", options, optionFields);
  for (const field in options) if (!optionFields.includes(field)) checkOptions("logMetric", options, optionFields);
  const step = options.step === undefined ? 0 : checkStep(options.step);
  const timestamp = options.timestamp === undefined ? Date.now() : checkTimestamp(options.timestamp);
  return `},"step":${step},"timestamp":${timestamp}`;
}
