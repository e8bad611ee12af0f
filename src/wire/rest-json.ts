import type { DatasetInput } from "../entities/dataset.ts";
import type { Experiment } from "../entities/experiment.ts";
import type { Metric } from "../entities/metric.ts";
import type { Param } from "../entities/param.ts";
import type { Run, RunInfo } from "../entities/run.ts";
import type { Tag } from "../entities/tag.ts";
import type { JsonObject } from "./rest-json-values.ts";
import { listField, numberToJson } from "./rest-json-values.ts";

export type { JsonObject } from "./rest-json-values.ts";
export { integerFromJson, numberFromJson, numberToJson } from "./rest-json-values.ts";

/** A run as `runs/get` and `runs/search` give it: `data`, `inputs` and `outputs` always there, empty lists in them left out. */
export function runToJson(run: Run): JsonObject {
  return {
    info: runInfoToJson(run.info),
    data: {
      ...listField("metrics", run.data.metrics, metricToJson),
      ...listField("params", run.data.params, pairToJson),
      ...listField("tags", run.data.tags, pairToJson),
    },
    inputs: {
      ...listField("dataset_inputs", run.inputs.datasetInputs, datasetInputToJson),
      ...listField("model_inputs", run.inputs.modelIds, (modelId) => ({ model_id: modelId })),
    },
    outputs: listField("model_outputs", run.outputs.models, ({ modelId, step }) => ({ model_id: modelId, step })),
  };
}

/** A run's `info`; `end_time` is absent while the run has not ended. */
export function runInfoToJson(info: RunInfo): JsonObject {
  return {
    run_uuid: info.runId,
    experiment_id: info.experimentId,
    run_name: info.runName,
    user_id: info.userId,
    status: info.status,
    start_time: info.startTime,
    ...(info.endTime !== undefined && { end_time: info.endTime }),
    artifact_uri: info.artifactUri,
    lifecycle_stage: info.lifecycleStage,
    run_id: info.runId,
  };
}

export function metricToJson(metric: Metric): JsonObject {
  return {
    key: metric.key,
    value: numberToJson(metric.value),
    timestamp: metric.timestamp,
    step: metric.step,
    ...(metric.datasetName !== undefined && { dataset_name: metric.datasetName }),
    ...(metric.datasetDigest !== undefined && { dataset_digest: metric.datasetDigest }),
    ...(metric.modelId !== undefined && { model_id: metric.modelId }),
  };
}

export function experimentToJson(experiment: Experiment): JsonObject {
  return {
    experiment_id: experiment.experimentId,
    name: experiment.name,
    artifact_location: experiment.artifactLocation,
    lifecycle_stage: experiment.lifecycleStage,
    ...(experiment.lastUpdateTime !== undefined && { last_update_time: experiment.lastUpdateTime }),
    ...(experiment.creationTime !== undefined && { creation_time: experiment.creationTime }),
    ...listField("tags", experiment.tags, pairToJson),
  };
}

/** A param, a run tag or an experiment tag. */
export function pairToJson(pair: Param | Tag): JsonObject {
  return { key: pair.key, value: pair.value };
}

export function datasetInputToJson({ dataset, tags }: DatasetInput): JsonObject {
  return {
    ...listField("tags", tags, pairToJson),
    dataset: {
      name: dataset.name,
      digest: dataset.digest,
      source_type: dataset.sourceType,
      source: dataset.source,
      ...(dataset.schema !== undefined && { schema: dataset.schema }),
      ...(dataset.profile !== undefined && { profile: dataset.profile }),
    },
  };
}
