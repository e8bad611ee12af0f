import type { LoggedModel } from "../entities/logged-model.ts";
import { type JsonObject, metricToJson, pairToJson } from "./rest-json.ts";
import { listField } from "./rest-json-values.ts";

/** A logged model as MLflow's REST API gives it. */
export function loggedModelToJson(model: LoggedModel): JsonObject {
  return {
    info: {
      model_id: model.modelId,
      experiment_id: model.experimentId,
      name: model.name,
      creation_timestamp_ms: model.creationTimestamp,
      last_updated_timestamp_ms: model.lastUpdatedTimestamp,
      artifact_uri: model.artifactLocation,
      status: model.status,
      model_type: model.modelType ?? "",
      source_run_id: model.sourceRunId ?? "",
      ...(model.statusMessage !== undefined && { status_message: model.statusMessage }),
      ...listField("tags", model.tags, pairToJson),
    },
    data: {
      ...listField("params", model.params, pairToJson),
      ...listField("metrics", model.metrics, (metric) => ({
        ...metricToJson(metric),
        ...(metric.runId !== undefined && { run_id: metric.runId }),
      })),
    },
  };
}
