import { limits } from "../../entities/limits.ts";
import type { Metric } from "../../entities/metric.ts";
import { checkParamKeysUnique } from "../../entities/validation.ts";
import { invalidParameter } from "../../errors.ts";
import { toPythonJson } from "../../util/python-json.ts";
import type { JsonObject } from "../../wire/rest-json.ts";
import { isJsonObject } from "../../wire/rest-json-values.ts";
import * as fields from "../message-fields.ts";
import type { MessageRoutes } from "../route.ts";

const loggedModelsTag = "mlflow.log-model.history";

/** What training programs call over and over. */
export const runDataRoutes: MessageRoutes = {
  "POST /runs/log-metric": (message, { stores }) => {
    const runId = fields.requiredRunId(message);
    return stores.tracking.logBatch(runId, { metrics: [readMetric(message)] });
  },
  "POST /runs/log-batch": (message, { stores }) => {
    const runId = fields.requiredText(message, "run_id");
    const metrics = fields.objects(message, "metrics").map(readMetric);
    const params = fields.pairs(message, "params");
    const tags = fields.pairs(message, "tags");
    checkSize("metrics", metrics.length, limits.metricsPerBatch);
    checkSize("params", params.length, limits.paramsPerBatch);
    checkSize("tags", tags.length, limits.tagsPerBatch);
    checkSize("items", metrics.length + params.length + tags.length, limits.itemsPerBatch);
    if (params.length > 1) checkParamKeysUnique(params);
    return stores.tracking.logBatch(runId, { metrics, params, tags });
  },
  "POST /runs/log-inputs": (message, { stores }) => {
    const datasets = fields.objects(message, "datasets").map((input) => ({
      dataset: readDataset(isJsonObject(input["dataset"]) ? input["dataset"] : {}),
      tags: fields.pairs(input, "tags"),
    }));
    const modelIds = fields.objects(message, "models").map((model) => fields.text(model, "model_id"));
    return stores.tracking.logInputs(fields.requiredText(message, "run_id"), datasets, modelIds);
  },
  "POST /runs/outputs": (message, { stores }) => {
    const runId = fields.requiredText(message, "run_id");
    if (message["models"] === undefined || message["models"] === null) throw fields.missing("models");
    const models = fields.objects(message, "models").map((model) => ({
      modelId: fields.text(model, "model_id"),
      step: fields.optionalInteger(model, "step") ?? 0,
    }));
    return stores.tracking.logOutputs(runId, models);
  },
  // MLflow 2.x: what it logged as a model is kept in a tag.
  "POST /runs/log-model": async (message, { stores }) => {
    const runId = fields.requiredText(message, "run_id");
    const model = describeModel(fields.requiredText(message, "model_json"));
    const { data } = await stores.tracking.getRun(runId);
    const history = data.tags.find((tag) => tag.key === loggedModelsTag)?.value ?? "[]";
    const value = toPythonJson([...(JSON.parse(history) as unknown[]), model]);
    await stores.tracking.logBatch(runId, { tags: [{ key: loggedModelsTag, value }] });
  },
};

function readMetric(message: JsonObject): Metric {
  const modelId = message["model_id"];
  const metric = {
    key: fields.requiredText(message, "key"),
    value: fields.requiredDouble(message, "value"),
    timestamp: fields.requiredInteger(message, "timestamp"),
    step: fields.optionalInteger(message, "step") ?? 0,
  };
  if (modelId === undefined && message["dataset_name"] === undefined) return metric;
  return {
    ...metric,
    ...fields.textEntry(message, "model_id", "modelId"),
    ...fields.textEntry(message, "dataset_name", "datasetName"),
    ...fields.textEntry(message, "dataset_digest", "datasetDigest"),
  };
}

function readDataset(message: JsonObject) {
  return {
    name: fields.text(message, "name"),
    digest: fields.text(message, "digest"),
    sourceType: fields.text(message, "source_type"),
    source: fields.text(message, "source"),
    ...fields.textEntry(message, "schema", "schema"),
    ...fields.textEntry(message, "profile", "profile"),
  };
}

function checkSize(what: string, count: number, limit: number): void {
  if (count <= limit) return;
  throw invalidParameter(`A batch logging request can contain at most ${limit} ${what}. Got ${count} ${what}.`);
}

const neededModelFields = ["artifact_path", "flavors", "utc_time_created", "run_id"];

/** As MLflow's `Model.get_tags_dict`. */
function describeModel(modelJson: string): JsonObject {
  const model = parseModel(modelJson);
  const missing = neededModelFields.filter((field) => model[field] === undefined);
  if (missing.length > 0) throw invalidParameter(`Model json is missing mandatory fields: ${missing.join(", ")}`);
  const flavors = isJsonObject(model["flavors"]) ? model["flavors"] : {};
  return {
    run_id: model["run_id"],
    artifact_path: model["artifact_path"],
    utc_time_created: model["utc_time_created"],
    ...(model["model_uuid"] !== undefined && { model_uuid: model["model_uuid"] }),
    flavors: Object.fromEntries(Object.entries(flavors).map(([name, flavor]) => [name, withoutConfig(flavor)])),
  };
}

function withoutConfig(flavor: unknown): unknown {
  if (!isJsonObject(flavor)) return flavor;
  const { config: _, ...rest } = flavor;
  return rest;
}

function parseModel(modelJson: string): JsonObject {
  try {
    const model: unknown = JSON.parse(modelJson);
    if (isJsonObject(model)) return model;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw invalidParameter(`Malformed model info. \n ${modelJson.slice(0, 1000)} \n is not a valid JSON.`);
}
