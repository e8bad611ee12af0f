import type { LogArtifactRecord, LogBatchRecord, LogRecord, LogTextRecord } from "../entities/log-record.ts";
import type { ErrorCode } from "../errors.ts";
import { BadLineError, excerpt } from "./bad-line.ts";
import type { BadLineKind, FlushLevel } from "./intake-handler.ts";
import { type EndRequest, parseEndRequest } from "../wire/end-request.ts";
import { parseSamplingRequest, type SamplingRequest } from "../wire/sampling-request.ts";
import { parseKeepingNumberText } from "./json-source.ts";
import {
  badValue,
  checkArtifactPath,
  checkFolder,
  checkName,
  checkPath,
  checkRunIdField,
  checkStep,
  checkText,
  checkTimestamp,
  textOf,
} from "./record-checks.ts";

/** JSON text of the sender's id, as it is to be echoed. */
export type RequestId = string;

/** One line, understood. Without `id` nobody waits for a reply; a bad line that is no JSON object has the id `null`. */
export type IntakeRequest =
  | { readonly kind: "record"; readonly record: LogRecord; readonly id: RequestId | undefined }
  | { readonly kind: "flush"; readonly level: FlushLevel; readonly id: RequestId | undefined }
  | { readonly kind: "get"; readonly runId: string | undefined; readonly id: RequestId | undefined }
  | { readonly kind: "end"; readonly request: EndRequest; readonly id: RequestId | undefined }
  | { readonly kind: "sampling"; readonly request: SamplingRequest; readonly id: RequestId | undefined }
  | BadRequest;

export interface BadRequest {
  readonly kind: "bad";
  readonly id: RequestId | undefined;
  readonly reason: BadLineKind;
  readonly code: ErrorCode;
  readonly message: string;
}

type Line = Readonly<Record<string, unknown>>;

/** Fields that each sort of line may have; the sorts other than `batch` come alone. */
const sorts = {
  batch: ["metrics", "params", "tags", "step", "timestamp", "run_id", "id"],
  artifact: ["artifact", "artifact_path", "cwd", "run_id", "id"],
  text: ["text", "artifact_file", "run_id", "id"],
  flush: ["flush", "id"],
  get: ["get", "run_id", "id"],
  end: ["end", "id"],
  sampling: ["sampling", "run_id", "id"],
} as const;
const knownFields = new Set<string>(Object.values(sorts).flat());

/** Parses one line of the socket's NDJSON, without its newline. Never throws. */
export function parseLine(text: string): IntakeRequest {
  const line = parseObject(text);
  if (line === undefined) return badRequest("null", noObject(text));
  let id: RequestId | undefined;
  try {
    if (line["id"] !== undefined) id = readId(line["id"], text);
    return readRequest(line, text, id);
  } catch (error) {
    if (error instanceof BadLineError) return badRequest(id ?? (line["id"] === undefined ? undefined : "null"), error);
    if (error instanceof RangeError) return badRequest(id, badValue("the line is nested too deeply"));
    throw error;
  }
}

/** A request that stands for a line which could not be read at all. */
export function badRequest(id: RequestId | undefined, error: BadLineError): BadRequest {
  return { kind: "bad", id, reason: error.kind, code: error.errorCode, message: error.message };
}

function parseObject(text: string): Line | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return undefined;
  }
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Line) : undefined;
}

function noObject(text: string): BadLineError {
  const advice = /\b(?:NaN|Infinity)\b/u.test(text)
    ? '; NaN and infinities are the strings "NaN", "Infinity", "-Infinity"'
    : "";
  return new BadLineError("no-object", `the line is no JSON object: ${excerpt(text)}${advice}`);
}

function readId(id: unknown, text: string): RequestId {
  if (typeof id === "string" || Number.isSafeInteger(id)) return JSON.stringify(id);
  if (typeof id === "number") return JSON.stringify((parseKeepingNumberText(text) as Line)["id"]);
  throw badValue(`"id" must be a number or a string, not ${excerpt(textOf(id))}`);
}

function readRequest(line: Line, text: string, id: RequestId | undefined): IntakeRequest {
  if (line["artifact"] !== undefined) {
    checkFields(line, "artifact");
    return { kind: "record", record: readArtifact(line), id };
  }
  if (line["text"] !== undefined) {
    checkFields(line, "text");
    return { kind: "record", record: readText(line), id };
  }
  if (line["flush"] !== undefined) {
    checkFields(line, "flush");
    return { kind: "flush", level: readFlushLevel(line["flush"]), id };
  }
  if (line["get"] !== undefined) {
    checkFields(line, "get");
    if (line["get"] !== "run") throw badValue(`"get" must be "run", not ${excerpt(textOf(line["get"]))}`);
    return { kind: "get", runId: isGiven(line["run_id"]) ? checkRunIdField(line["run_id"]) : undefined, id };
  }
  if (line["end"] !== undefined) {
    checkFields(line, "end");
    const request = parseEndRequest(line["end"]);
    if (request === undefined) throw badValue(`"end" is not understood: ${excerpt(textOf(line["end"]))}`);
    return { kind: "end", request, id };
  }
  if (line["sampling"] !== undefined) {
    checkFields(line, "sampling");
    return { kind: "sampling", request: readSampling(line), id };
  }
  return { kind: "record", record: readBatch(line, text), id };
}

function checkFields(line: Line, sort: keyof typeof sorts): void {
  const allowed: readonly string[] = sorts[sort];
  for (const field in line) {
    if (allowed.includes(field)) continue;
    if (!knownFields.has(field)) throw unknownField(field);
    throw new BadLineError(
      "mixed",
      `${JSON.stringify(sort)} comes alone in its line, without ${JSON.stringify(field)}`,
    );
  }
}

function unknownField(field: string): BadLineError {
  return new BadLineError("unknown-field", `unknown field ${excerpt(field)}`);
}

/** The hot path: one pass over the fields, nothing allocated but the record. */
function readBatch(line: Line, text: string): LogBatchRecord {
  const record: { -readonly [Field in keyof LogBatchRecord]: LogBatchRecord[Field] } = { type: "batch" };
  let saysSomething = false;
  for (const field in line) {
    const value = line[field];
    switch (field) {
      case "metrics":
        record.metrics = readMetrics(value);
        saysSomething = true;
        break;
      case "params":
      case "tags":
        record[field] = readTexts(field, value, text);
        saysSomething = true;
        break;
      case "step":
        if (isGiven(value)) record.step = checkStep(value);
        break;
      case "timestamp":
        if (isGiven(value)) record.timestamp = checkTimestamp(value);
        break;
      case "run_id":
        if (isGiven(value)) record.runId = checkRunIdField(value);
        break;
      case "id":
        break;
      default:
        throw misplacedField(field);
    }
  }
  if (!saysSomething) throw badValue("the line says nothing: no metrics, params, tags, artifact, text, flush or get");
  return record;
}

function misplacedField(field: string): BadLineError {
  if (!knownFields.has(field)) return unknownField(field);
  const owner = field === "artifact_file" ? "text" : "artifact";
  return new BadLineError("mixed", `${JSON.stringify(field)} belongs to a line with ${JSON.stringify(owner)}`);
}

function readMetrics(value: unknown): [string, number][] {
  if (!isPlainObject(value)) throw badValue(`"metrics" must be an object, not ${excerpt(textOf(value))}`);
  const metrics: [string, number][] = [];
  for (const key in value) {
    checkName("metric", key);
    metrics.push([key, readMetricValue(key, value[key])]);
  }
  return metrics;
}

function readMetricValue(key: string, value: unknown): number {
  if (typeof value === "number") return value;
  if (value === "NaN") return Number.NaN;
  if (value === "Infinity") return Number.POSITIVE_INFINITY;
  if (value === "-Infinity") return Number.NEGATIVE_INFINITY;
  throw badValue(
    `metric ${excerpt(key)} must be a number, "NaN", "Infinity" or "-Infinity", not ${excerpt(textOf(value))}`,
  );
}

function readTexts(field: "params" | "tags", value: unknown, text: string): [string, string][] {
  if (!isPlainObject(value))
    throw badValue(`${JSON.stringify(field)} must be an object, not ${excerpt(textOf(value))}`);
  const pairs: [string, string][] = [];
  let exact: Line | undefined;
  for (const key in value) {
    checkName(field === "params" ? "param" : "tag", key);
    const given = value[key];
    if (typeof given === "string") {
      pairs.push([key, given]);
      continue;
    }
    exact ??= (parseKeepingNumberText(text) as Line)[field] as Line;
    pairs.push([key, JSON.stringify(exact[key])]);
  }
  return pairs;
}

function readArtifact(line: Line): LogArtifactRecord {
  return {
    type: "artifact",
    path: checkPath("artifact", line["artifact"]),
    ...(isGiven(line["artifact_path"]) && { artifactPath: checkArtifactPath("artifact_path", line["artifact_path"]) }),
    ...(isGiven(line["cwd"]) && { cwd: checkFolder("cwd", line["cwd"]) }),
    ...(isGiven(line["run_id"]) && { runId: checkRunIdField(line["run_id"]) }),
  };
}

function readText(line: Line): LogTextRecord {
  return {
    type: "text",
    text: checkText("text", line["text"]),
    artifactFile: checkArtifactPath("artifact_file", line["artifact_file"]),
    ...(isGiven(line["run_id"]) && { runId: checkRunIdField(line["run_id"]) }),
  };
}

function readSampling(line: Line): SamplingRequest {
  const request = parseSamplingRequest(line["sampling"]);
  if (request === undefined) throw badValue(`"sampling" is not understood: ${excerpt(textOf(line["sampling"]))}`);
  return { ...request, ...(isGiven(line["run_id"]) && { runId: checkRunIdField(line["run_id"]) }) };
}

function readFlushLevel(value: unknown): FlushLevel {
  if (value === true) return "journal";
  if (value === "store") return "store";
  throw badValue(`"flush" must be true or "store", not ${excerpt(textOf(value))}`);
}

/** Clients write `null` for an argument that was not given. */
function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null;
}

function isPlainObject(value: unknown): value is Line {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
