import type { LogBatchRecord } from "../entities/log-record.ts";
import { BadLineError, excerpt } from "./bad-line.ts";
import { parseIntegerText, parseMetricText } from "./metric-text.ts";
import { badValue, checkName } from "./record-checks.ts";

type Writable<Record> = { -readonly [Field in keyof Record]: Record[Field] };

/**
 * Parses a line of the append file that is no JSON: `loss=0.31 step=10 param.lr=0.01 tag.phase=warm-up`.
 * Throws `BadLineError`; then nothing of the line counts.
 */
export function parseWords(text: string): LogBatchRecord {
  const record: Writable<LogBatchRecord> = { type: "batch" };
  const metrics: [string, number][] = [];
  const params: [string, string][] = [];
  const tags: [string, string][] = [];
  for (const word of text.trim().split(/\s+/u)) {
    const equals = word.indexOf("=");
    if (equals < 1) throw new BadLineError("bad-value", `${excerpt(word)} is not of the form key=value`);
    const key = word.slice(0, equals);
    const value = word.slice(equals + 1);
    if (key === "step") record.step = readStep(value);
    else if (key === "timestamp") record.timestamp = readTimestamp(value);
    else if (key.startsWith("param.")) params.push(readText("param", key, value));
    else if (key.startsWith("tag.")) tags.push(readText("tag", key, value));
    else metrics.push(readMetric(key, value));
  }
  if (metrics.length > 0) record.metrics = metrics;
  if (params.length > 0) record.params = params;
  if (tags.length > 0) record.tags = tags;
  if (metrics.length + params.length + tags.length === 0) throw badValue(`the line says nothing: ${excerpt(text)}`);
  return record;
}

function readMetric(key: string, text: string): [string, number] {
  checkName("metric", key);
  const value = parseMetricText(text);
  if (value === undefined) {
    throw badValue(
      `metric ${excerpt(key)} is no number: ${excerpt(text)}; params and tags are param.key=value, tag.key=value`,
    );
  }
  return [key, value];
}

function readText(kind: "param" | "tag", key: string, value: string): [string, string] {
  const name = key.slice(kind.length + 1);
  checkName(kind, name);
  return [name, value];
}

function readStep(text: string): number {
  const step = parseIntegerText(text);
  if (step === undefined) throw badValue(`step must be a whole number, not ${excerpt(text)}`);
  return step;
}

function readTimestamp(text: string): number {
  const timestamp = parseIntegerText(text);
  if (timestamp !== undefined && timestamp >= 0) return timestamp;
  throw badValue(`timestamp must be a whole number of milliseconds since 1970, 0 or more, not ${excerpt(text)}`);
}
