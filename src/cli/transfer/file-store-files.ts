import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { LoggedModel, LoggedModelStatus } from "../../entities/logged-model.ts";
import type { Metric } from "../../entities/metric.ts";
import { StoreError } from "../../errors.ts";
import { hasCode, messageOf } from "../../util/error-code.ts";
import { parsePyyamlMapping, type YamlMapping } from "./pyyaml-mapping.ts";

export interface Pair {
  readonly key: string;
  readonly value: string;
}

/** Names in a folder, sorted; none where it is not there. */
export function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder).sort();
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR")) return [];
    throw error;
  }
}

/** A `meta.yaml`; `undefined` where there is none. One that is broken: `StoreError` naming it. */
export function readMeta(folder: string): YamlMapping | undefined {
  const path = join(folder, "meta.yaml");
  try {
    return parsePyyamlMapping(readFileSync(path, "utf8"));
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR")) return undefined;
    throw new StoreError("INVALID_PARAMETER_VALUE", `${path}: ${messageOf(error)}`, { cause: error });
  }
}

export function textOf(meta: YamlMapping, key: string): string | undefined {
  const value = meta[key];
  return typeof value === "string" ? value : undefined;
}

export function numberOf(meta: YamlMapping, key: string): number | undefined {
  const text = textOf(meta, key);
  return text !== undefined && /^-?\d+$/u.test(text) ? Number(text) : undefined;
}

/** One file a key, its content the value; a slash in a key is a folder. */
export function readPairs(folder: string): readonly Pair[] {
  return filesBelow(folder).map((key) => ({ key, value: readFileSync(join(folder, key), "utf8") }));
}

/** Keys of the files below a folder, in order. */
export function filesBelow(folder: string, prefix = ""): readonly string[] {
  return namesIn(join(folder, prefix)).flatMap((name) => {
    const key = prefix === "" ? name : `${prefix}/${name}`;
    return statSync(join(folder, key)).isDirectory() ? filesBelow(folder, key) : [key];
  });
}

/** Lines of `timestamp value [step [dataset name, dataset digest]]`; a line that was torn is passed over. */
export function readPoints(path: string, key: string): readonly Metric[] {
  return readFileSync(path, "utf8")
    .split("\n")
    .map((line) => readPoint(key, line.trim().split(" ")))
    .filter((point) => point !== undefined);
}

function readPoint(key: string, [time = "", text = "", step = "0"]: readonly string[]): Metric | undefined {
  const value = readPythonFloat(text);
  if (!/^-?\d+$/u.test(time) || !/^-?\d+$/u.test(step) || value === undefined) return undefined;
  return { key, value, timestamp: Number(time), step: Number(step) };
}

/** As Python's `str(float)` has it. */
function readPythonFloat(text: string): number | undefined {
  const names: Readonly<Record<string, number>> = { nan: Number.NaN, inf: Infinity, "-inf": -Infinity };
  const value = names[text.toLowerCase()] ?? (text === "" ? Number.NaN : Number(text));
  return Number.isNaN(value) && text.toLowerCase() !== "nan" ? undefined : value;
}

const modelStatuses: readonly LoggedModelStatus[] = [
  "LOGGED_MODEL_PENDING",
  "LOGGED_MODEL_READY",
  "LOGGED_MODEL_UPLOAD_FAILED",
];

/** A logged model's folder; `undefined` for one that is deleted or no model's. */
export function readModel(folder: string): LoggedModel | undefined {
  const meta = readMeta(folder);
  const modelId = meta === undefined ? undefined : textOf(meta, "model_id");
  if (meta === undefined || modelId === undefined || textOf(meta, "lifecycle_stage") === "deleted") return undefined;
  const modelType = textOf(meta, "model_type");
  const sourceRunId = textOf(meta, "source_run_id");
  return {
    modelId,
    experimentId: textOf(meta, "experiment_id") ?? "",
    name: textOf(meta, "name") ?? "",
    artifactLocation: join(folder, "artifacts"),
    creationTimestamp: numberOf(meta, "creation_timestamp") ?? 0,
    lastUpdatedTimestamp: numberOf(meta, "last_updated_timestamp") ?? 0,
    status: modelStatuses[(numberOf(meta, "status") ?? 1) - 1] ?? "LOGGED_MODEL_PENDING",
    ...(modelType !== undefined && { modelType }),
    ...(sourceRunId !== undefined && { sourceRunId }),
    params: readPairs(join(folder, "params")),
    tags: readPairs(join(folder, "tags")),
    metrics: filesBelow(join(folder, "metrics")).flatMap((key) => readModelPoints(join(folder, "metrics"), key)),
  };
}

/** Lines of `timestamp value step run_id [dataset name, dataset digest]`. */
function readModelPoints(folder: string, key: string): readonly Metric[] {
  return readFileSync(join(folder, key), "utf8")
    .split("\n")
    .flatMap((line) => {
      const [time = "", value = "", step = "", runId = "", datasetName = "", datasetDigest = ""] = line
        .trim()
        .split(" ");
      const point = readPoint(key, [time, value, step]);
      if (point === undefined || runId === "") return [];
      return [
        {
          ...point,
          runId,
          ...(datasetName !== "" && { datasetName }),
          ...(datasetDigest !== "" && { datasetDigest }),
        },
      ];
    });
}
