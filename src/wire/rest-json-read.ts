import type { Dataset, DatasetInput } from "../entities/dataset.ts";
import type { Experiment } from "../entities/experiment.ts";
import type { LifecycleStage } from "../entities/lifecycle-stage.ts";
import type { Metric } from "../entities/metric.ts";
import type { Param } from "../entities/param.ts";
import type { RunStatus } from "../entities/run-status.ts";
import { isRunStatus, runStatuses } from "../entities/run-status.ts";
import type { Run, RunInfo } from "../entities/run.ts";
import type { Tag } from "../entities/tag.ts";
import type { JsonObject } from "./rest-json-values.ts";
import {
  integerFromJson,
  malformed,
  readDouble,
  readInteger,
  readList,
  readObject,
  readText,
} from "./rest-json-values.ts";

/** Reads a run. Absent fields take protobuf's defaults; no id, or a value of another kind: `INTERNAL_ERROR`. */
export function runFromJson(json: JsonObject): Run {
  const data = readObject(json, "data");
  const inputs = readObject(json, "inputs");
  return {
    info: runInfoFromJson(readObject(json, "info")),
    data: {
      metrics: readList(data, "metrics", metricFromJson),
      params: readList(data, "params", pairFromJson),
      tags: readList(data, "tags", pairFromJson),
    },
    inputs: {
      datasetInputs: readList(inputs, "dataset_inputs", datasetInputFromJson),
      modelIds: readList(inputs, "model_inputs", (model) => readText(model, "model_id")),
    },
    outputs: {
      models: readList(readObject(json, "outputs"), "model_outputs", (model) => ({
        modelId: readText(model, "model_id"),
        step: readInteger(model, "step") ?? 0,
      })),
    },
  };
}

/** Reads a run's `info`; the id may be in `run_id` or `run_uuid`. */
export function runInfoFromJson(json: JsonObject): RunInfo {
  const endTime = readInteger(json, "end_time") ?? 0;
  return {
    runId: readText(json, json["run_id"] === undefined ? "run_uuid" : "run_id"),
    runName: readText(json, "run_name", ""),
    experimentId: readText(json, "experiment_id", ""),
    userId: readText(json, "user_id", ""),
    status: statusFromJson(json["status"]) ?? failStatus(),
    startTime: readInteger(json, "start_time") ?? 0,
    ...(endTime !== 0 && { endTime }),
    lifecycleStage: readLifecycleStage(json),
    artifactUri: readText(json, "artifact_uri", ""),
  };
}

/** A run status by its name or its number (RUNNING is 1); absent is RUNNING, anything else `undefined`. */
export function statusFromJson(value: unknown): RunStatus | undefined {
  if (value === undefined) return "RUNNING";
  if (typeof value === "string" && isRunStatus(value)) return value;
  const number = integerFromJson(value);
  return number === undefined ? undefined : runStatuses[number - 1];
}

export function metricFromJson(json: JsonObject): Metric {
  return {
    key: readText(json, "key"),
    value: readDouble(json, "value"),
    timestamp: readInteger(json, "timestamp") ?? 0,
    step: readInteger(json, "step") ?? 0,
    ...optionalText(json, "model_id", "modelId"),
    ...optionalText(json, "dataset_name", "datasetName"),
    ...optionalText(json, "dataset_digest", "datasetDigest"),
  };
}

/** Reads an experiment; no id, or a value of another kind: `INTERNAL_ERROR`. */
export function experimentFromJson(json: JsonObject): Experiment {
  const creationTime = readInteger(json, "creation_time");
  const lastUpdateTime = readInteger(json, "last_update_time");
  return {
    experimentId: readText(json, "experiment_id"),
    name: readText(json, "name", ""),
    artifactLocation: readText(json, "artifact_location", ""),
    lifecycleStage: readLifecycleStage(json),
    ...(creationTime !== undefined && { creationTime }),
    ...(lastUpdateTime !== undefined && { lastUpdateTime }),
    tags: readList(json, "tags", pairFromJson),
  };
}

/** A param, a run tag or an experiment tag; an absent value is the empty text. */
export function pairFromJson(json: JsonObject): Param & Tag {
  return { key: readText(json, "key"), value: readText(json, "value", "") };
}

export function datasetInputFromJson(json: JsonObject): DatasetInput {
  return {
    dataset: datasetFromJson(readObject(json, "dataset")),
    tags: readList(json, "tags", pairFromJson),
  };
}

function datasetFromJson(json: JsonObject): Dataset {
  return {
    name: readText(json, "name"),
    digest: readText(json, "digest"),
    sourceType: readText(json, "source_type", ""),
    source: readText(json, "source", ""),
    ...optionalText(json, "schema", "schema"),
    ...optionalText(json, "profile", "profile"),
  };
}

function optionalText<Name extends string>(json: JsonObject, key: string, name: Name): { [One in Name]?: string } {
  return json[key] === undefined ? {} : ({ [name]: readText(json, key) } as { [One in Name]?: string });
}

function readLifecycleStage(json: JsonObject): LifecycleStage {
  const stage = readText(json, "lifecycle_stage", "active");
  if (stage === "active" || stage === "deleted") return stage;
  throw malformed("lifecycle_stage");
}

function failStatus(): never {
  throw malformed("status");
}
