import type { LoggedModel, LoggedModelStatus } from "../entities/logged-model.ts";
import { metricFromJson, pairFromJson } from "./rest-json-read.ts";
import {
  integerFromJson,
  type JsonObject,
  malformed,
  readInteger,
  readList,
  readObject,
  readText,
} from "./rest-json-values.ts";

const statuses: readonly LoggedModelStatus[] = [
  "LOGGED_MODEL_PENDING",
  "LOGGED_MODEL_READY",
  "LOGGED_MODEL_UPLOAD_FAILED",
];

/** Reads a logged model; no id, or a value of another kind: `INTERNAL_ERROR`. */
export function loggedModelFromJson(json: JsonObject): LoggedModel {
  const info = readObject(json, "info");
  const data = readObject(json, "data");
  const modelType = readText(info, "model_type", "");
  const sourceRunId = readText(info, "source_run_id", "");
  const statusMessage = readText(info, "status_message", "");
  return {
    modelId: readText(info, "model_id"),
    experimentId: readText(info, "experiment_id", ""),
    name: readText(info, "name", ""),
    artifactLocation: readText(info, "artifact_uri", ""),
    creationTimestamp: readInteger(info, "creation_timestamp_ms") ?? 0,
    lastUpdatedTimestamp: readInteger(info, "last_updated_timestamp_ms") ?? 0,
    status: readStatus(info["status"]),
    ...(statusMessage !== "" && { statusMessage }),
    ...(modelType !== "" && { modelType }),
    ...(sourceRunId !== "" && { sourceRunId }),
    params: readList(data, "params", pairFromJson),
    tags: readList(info, "tags", pairFromJson),
    metrics: readList(data, "metrics", (metric) => ({
      ...metricFromJson(metric),
      ...(metric["run_id"] !== undefined && { runId: readText(metric, "run_id") }),
    })),
  };
}

/** By its name or its number (PENDING is 1). */
function readStatus(value: unknown): LoggedModelStatus {
  const number = integerFromJson(value);
  const found = number === undefined ? statuses.find((name) => name === value) : statuses[number - 1];
  if (found === undefined) throw malformed("status");
  return found;
}
