import { invalidParameter } from "../errors.ts";
import { codePointLength, firstCodePoints } from "../util/code-points.ts";
import type { DatasetInput } from "./dataset.ts";
import { limits } from "./limits.ts";
import type { Metric } from "./metric.ts";
import type { Param } from "./param.ts";
import type { Tag } from "./tag.ts";

// mlflow/utils/validation.py. Python's \w is letters and numbers of any script and "_", without combining marks.
const keyCharacters = /^[/\p{L}\p{N}_.\- :]*$/u;
const runIdPattern = /^[a-zA-Z0-9][\p{L}\p{N}_-]{0,255}$/u;
const experimentIdPattern = /^[0-9]{1,18}$/u;
const forbiddenInModelName = /[/:.%"']/u;
const int64Limit = 2 ** 63;

export type KeyKind = "metric" | "param" | "tag";

/** Why MLflow would refuse this key, as a clause without the key itself; `undefined` when it is fine. */
export function findKeyFault(key: string): string | undefined {
  if (!keyCharacters.test(key)) {
    return "names may only contain letters, digits, underscores (_), dashes (-), periods (.), spaces ( ), colons (:) and slashes (/)";
  }
  if (resolvesElsewhere(key)) return "names are treated as file paths and must not be empty or resolve to another path";
  if (codePointLength(key) > limits.keyLength) return `names have at most ${limits.keyLength} characters`;
  return undefined;
}

/** Throws `INVALID_PARAMETER_VALUE` unless `key` is a name that MLflow takes. */
export function checkKey(kind: KeyKind, key: string): void {
  const fault = findKeyFault(key);
  if (fault !== undefined) throw invalidParameter(`Invalid ${kind} name: ${quote(key)}: ${fault}`);
}

/** Checks a metric's number fields: value a number (NaN and infinite allowed), timestamp a whole number >= 0, step a whole number. */
export function checkMetricNumbers(metric: Metric): void {
  if (typeof metric.value !== "number") throw badNumber(metric, "value", metric.value, "a number");
  if (!isInt64(metric.timestamp) || metric.timestamp < 0) {
    throw badNumber(metric, "timestamp", metric.timestamp, "a whole number of milliseconds, 0 or more");
  }
  if (!isInt64(metric.step)) throw badNumber(metric, "step", metric.step, "a whole number");
}

export function checkMetric(metric: Metric): void {
  checkKey("metric", metric.key);
  checkMetricNumbers(metric);
}

/** `checkMetric` for a batch, which repeats few keys many times: each name is checked once. */
export function checkMetrics(metrics: readonly Metric[]): void {
  const checkedKeys = new Set<string>();
  for (const metric of metrics) {
    if (!checkedKeys.has(metric.key)) {
      checkKey("metric", metric.key);
      checkedKeys.add(metric.key);
    }
    checkMetricNumbers(metric);
  }
}

/** A value over the limit is refused: cut it before with `truncateParamValue`. */
export function checkParam(param: Param): void {
  checkKey("param", param.key);
  checkLength(`value of param ${quote(param.key)}`, param.value, limits.paramValueLength);
}

/** MLflow refuses a batch that names a param twice, even with equal values. */
export function checkParamKeysUnique(params: readonly Param[]): void {
  const seen = new Set<string>();
  for (const { key } of params) {
    if (seen.has(key)) throw invalidParameter(`Duplicate parameter keys have been submitted: ${quote(key)}`);
    seen.add(key);
  }
}

/** A value over the limit is refused: cut it before with `truncateTagValue`. */
export function checkRunTag(tag: Tag): void {
  checkKey("tag", tag.key);
  checkLength(`value of tag ${quote(tag.key)}`, tag.value, limits.runTagValueLength);
}

export function checkExperimentTag(tag: Tag): void {
  checkKey("tag", tag.key);
  checkLength(`value of experiment tag ${quote(tag.key)}`, tag.value, limits.experimentTagValueLength);
}

export function checkExperimentName(name: string): void {
  if (name === "") throw invalidParameter("Invalid experiment name: ''");
  checkLength("experiment name", name, limits.experimentNameLength);
}

/** Experiment ids are decimal text. */
export function checkExperimentId(experimentId: string): void {
  if (!experimentIdPattern.test(experimentId)) {
    throw invalidParameter(`Invalid experiment ID ${quote(experimentId)}: it must be a whole number`);
  }
}

/** The id of a new run or model; to look one up, no check is needed. */
export function checkRunId(runId: string): void {
  if (!runIdPattern.test(runId)) throw invalidParameter(`Invalid run ID: ${quote(runId)}`);
}

export function checkArtifactLocation(location: string): void {
  checkLength("artifact location", location, limits.artifactLocationLength);
  if (location.startsWith("runs:")) {
    throw invalidParameter(`Artifact location must not be a runs:/ URI: ${quote(location)}`);
  }
}

export function checkLoggedModelName(name: string): void {
  if (name === "" || forbiddenInModelName.test(name)) {
    throw invalidParameter(`Invalid model name: ${quote(name)}: it must not be empty nor contain any of / : . % " '`);
  }
}

export function checkDatasetInput(input: DatasetInput): void {
  const { name, digest, source, schema = "", profile = "" } = input.dataset;
  if (name === "" || digest === "") throw invalidParameter("A dataset needs a name and a digest");
  checkLength("dataset name", name, limits.datasetNameLength);
  checkLength("dataset digest", digest, limits.datasetDigestLength);
  checkLength("dataset source", source, limits.datasetSourceLength);
  checkLength("dataset schema", schema, limits.datasetSchemaLength);
  checkLength("dataset profile", profile, limits.datasetProfileLength);
  for (const tag of input.tags) {
    checkLength("dataset tag name", tag.key, limits.inputTagKeyLength);
    checkLength(`value of dataset tag ${quote(tag.key)}`, tag.value, limits.inputTagValueLength);
  }
}

export interface TruncatedValue {
  readonly value: string;
  readonly isCut: boolean;
}

/** The longest param value that MLflow takes, by its own rule (`MLFLOW_TRUNCATE_LONG_VALUES`). */
export function truncateParamValue(value: string): TruncatedValue {
  return truncate(value, limits.paramValueLength);
}

/** The same for the value of a run tag. */
export function truncateTagValue(value: string): TruncatedValue {
  return truncate(value, limits.runTagValueLength);
}

function truncate(text: string, limit: number): TruncatedValue {
  const value = firstCodePoints(text, limit);
  return { value, isCut: value.length < text.length };
}

/** `posixpath.normpath(key) != key` and MLflow's further conditions; "..a" is refused there too. */
function resolvesElsewhere(key: string): boolean {
  if (key.startsWith("..")) return true;
  return key.split("/").some((part) => part === "" || part === "." || part === "..");
}

function checkLength(what: string, text: string, limit: number): void {
  if (text.length > limit && codePointLength(text) > limit) {
    throw invalidParameter(`${what} has ${codePointLength(text)} characters, at most ${limit} are allowed`);
  }
}

function isInt64(value: number): boolean {
  return Number.isInteger(value) && value < int64Limit && value >= -int64Limit;
}

function badNumber(metric: Metric, field: string, value: unknown, wanted: string): Error {
  return invalidParameter(
    `Invalid value ${String(value)} for parameter '${field}' of metric ${quote(metric.key)}: it must be ${wanted}`,
  );
}

/** Long names are cut, so that an error stays one readable line. */
function quote(text: string): string {
  const shown = text.length > 100 ? `${firstCodePoints(text, 100)}...` : text;
  return `'${shown.replaceAll("\n", String.raw`\n`)}'`;
}
