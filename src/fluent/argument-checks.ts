import { isTerminalStatus, isRunStatus, type RunStatus } from "../entities/run-status.ts";
import type { Tag } from "../entities/tag.ts";
import { checkKey, checkRunId, checkRunTag, type KeyKind, truncateTagValue } from "../entities/validation.ts";
import { invalidParameter } from "../errors.ts";

/** What MLflow turns into text by `str()`; an array or object becomes its JSON. */
export type TextValue = string | number | bigint | boolean | null | readonly unknown[] | object;

/** For messages: short, and never more than one line of somebody's data. */
export function shown(value: unknown): string {
  if (typeof value === "string") return `'${value.slice(0, 100)}'`;
  if (typeof value === "function" || typeof value === "symbol") return `a ${typeof value}`;
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? "an array" : "an object";
  return String(value);
}

export function checkText(what: string, value: unknown): asserts value is string {
  if (typeof value !== "string")
    throw invalidParameter(`Invalid value ${shown(value)} for parameter '${what}': it must be a string`);
}

export function checkOptionalText(what: string, value: unknown): void {
  if (value !== undefined) checkText(what, value);
}

export function checkBoolean(what: string, value: unknown): void {
  if (value === undefined || typeof value === "boolean") return;
  throw invalidParameter(`Invalid value ${shown(value)} for parameter '${what}': it must be true or false`);
}

export function checkRecord(what: string, value: unknown): asserts value is Readonly<Record<string, unknown>> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return;
  throw invalidParameter(`Invalid value ${shown(value)} for parameter '${what}': it must be an object`);
}

/** Options are an object with known fields only: a field that is spelt wrong would be lost without a word. */
export function checkOptions(what: string, value: unknown, fields: readonly string[]): void {
  checkRecord(what, value);
  const unknown = Object.keys(value).find((field) => !fields.includes(field));
  if (unknown !== undefined)
    throw invalidParameter(`Unknown option '${unknown}' of ${what}: it has ${fields.join(", ")}`);
}

const goodKeys: Readonly<Record<KeyKind, Set<string>>> = { metric: new Set(), param: new Set(), tag: new Set() };
const rememberedKeys = 10_000;

/** A program says the same few names a million times: each is checked once. */
export function checkName(kind: KeyKind, key: unknown): asserts key is string {
  const good = goodKeys[kind];
  if (typeof key === "string" && good.has(key)) return;
  checkText("key", key);
  checkKey(kind, key);
  if (good.size >= rememberedKeys) good.clear();
  good.add(key);
}

export function checkStep(step: unknown): number {
  if (typeof step === "number" && Number.isSafeInteger(step)) return step;
  throw invalidParameter(`Invalid value ${shown(step)} for parameter 'step': it must be a whole number`);
}

export function checkTimestamp(timestamp: unknown): number {
  if (typeof timestamp === "number" && Number.isSafeInteger(timestamp) && timestamp >= 0) return timestamp;
  throw invalidParameter(
    `Invalid value ${shown(timestamp)} for parameter 'timestamp': it must be a whole number of milliseconds, 0 or more`,
  );
}

export function checkMetricValue(key: string, value: unknown): number {
  if (typeof value === "number") return value;
  throw invalidParameter(`Invalid value ${shown(value)} for parameter 'value' of metric '${key}': it must be a number`);
}

/** The text of a param or tag. Numbers that are none, and what has no text, are mistakes. */
export function textOf(what: string, key: string, value: unknown): string {
  if (typeof value === "string") return value;
  if (typeof value === "boolean" || typeof value === "bigint" || value === null) return String(value);
  if (typeof value === "number" && Number.isFinite(value)) return String(value);
  const text = typeof value === "object" ? jsonOf(value) : undefined;
  if (text !== undefined) return text;
  throw invalidParameter(
    `Invalid value ${shown(value)} for ${what} '${key}': it must be a text, a finite number or a plain value`,
  );
}

function jsonOf(value: object | null): string | undefined {
  try {
    return JSON.stringify(value);
  } catch (error) {
    // A circle, or a bigint within.
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

export function toTags(tags: unknown): readonly Tag[] {
  checkRecord("tags", tags);
  return Object.entries(tags).map(([key, value]) => {
    const tag = { key, value: truncateTagValue(textOf("tag", key, value)).value };
    checkRunTag(tag);
    return tag;
  });
}

export function checkGivenRunId(runId: unknown): asserts runId is string {
  checkText("runId", runId);
  checkRunId(runId);
}

export function checkStatus(status: unknown): asserts status is RunStatus {
  if (typeof status === "string" && isRunStatus(status) && isTerminalStatus(status)) return;
  throw invalidParameter(`Invalid status ${shown(status)}: a run ends FINISHED, FAILED or KILLED`);
}

/** MLflow takes whole numbers as well. */
export function experimentIdOf(experimentId: unknown): string {
  if (typeof experimentId === "number" && Number.isSafeInteger(experimentId)) return String(experimentId);
  if (typeof experimentId === "string") return experimentId;
  throw invalidParameter(`Invalid experiment id: ${shown(experimentId)}: it must be a string or a whole number`);
}
