import type { LoggedModel, LoggedModelStatus } from "../../entities/logged-model.ts";
import type { Param } from "../../entities/param.ts";
import type { Tag } from "../../entities/tag.ts";
import { loggedModelFromJson } from "../../wire/logged-model-json-read.ts";
import { pairToJson } from "../../wire/rest-json.ts";
import { type JsonObject, readObject } from "../../wire/rest-json-values.ts";
import type { CreateLoggedModelRequest, Page, SearchLoggedModelsQuery } from "../tracking-store.ts";
import type { RestApi } from "./rest-api.ts";
import { readPage } from "./search-page.ts";

const paramsPerCall = 100;

/** The server makes its own id. Tried once: a second call would make a second model. */
export async function createLoggedModel(api: RestApi, request: CreateLoggedModelRequest): Promise<LoggedModel> {
  const { params = [] } = request;
  const message = {
    experiment_id: request.experimentId,
    name: request.name,
    model_type: request.modelType,
    source_run_id: request.sourceRunId,
    params: params.slice(0, paramsPerCall).map(pairToJson),
    tags: request.tags?.map(pairToJson),
  };
  const model = modelOf(await api.post("logged-models", message, { mayRetry: false }));
  if (params.length <= paramsPerCall) return model;
  await logLoggedModelParams(api, model.modelId, params.slice(paramsPerCall));
  return await getLoggedModel(api, model.modelId);
}

export async function getLoggedModel(api: RestApi, modelId: string): Promise<LoggedModel> {
  return modelOf(await api.get(pathOf(modelId)));
}

export async function finalizeLoggedModel(
  api: RestApi,
  modelId: string,
  status: LoggedModelStatus,
): Promise<LoggedModel> {
  return modelOf(await api.post(pathOf(modelId), { model_id: modelId, status }, { method: "PATCH" }));
}

export async function logLoggedModelParams(api: RestApi, modelId: string, params: readonly Param[]): Promise<void> {
  for (let from = 0; from < params.length; from += paramsPerCall) {
    const part = params.slice(from, from + paramsPerCall).map(pairToJson);
    await api.post(`${pathOf(modelId)}/params`, { model_id: modelId, params: part });
  }
}

export async function setLoggedModelTags(api: RestApi, modelId: string, tags: readonly Tag[]): Promise<void> {
  const message = { model_id: modelId, tags: tags.map(pairToJson) };
  await api.post(`${pathOf(modelId)}/tags`, message, { method: "PATCH" });
}

export async function deleteLoggedModelTag(api: RestApi, modelId: string, key: string): Promise<void> {
  await api.delete(`${pathOf(modelId)}/tags/${encodeURIComponent(key)}`);
}

export async function deleteLoggedModel(api: RestApi, modelId: string): Promise<void> {
  await api.delete(pathOf(modelId));
}

export async function searchLoggedModels(api: RestApi, query: SearchLoggedModelsQuery): Promise<Page<LoggedModel>> {
  const answer = await api.post("logged-models/search", {
    experiment_ids: query.experimentIds,
    filter: query.filter,
    datasets: query.datasets?.map(({ datasetName, datasetDigest }) => ({
      dataset_name: datasetName,
      dataset_digest: datasetDigest,
    })),
    order_by: query.orderBy?.map(({ fieldName, isAscending, datasetName, datasetDigest }) => ({
      field_name: fieldName,
      ascending: isAscending,
      dataset_name: datasetName,
      dataset_digest: datasetDigest,
    })),
    max_results: query.maxResults,
    page_token: query.pageToken,
  });
  return readPage(answer, "models", loggedModelFromJson);
}

const pathOf = (modelId: string): string => `logged-models/${encodeURIComponent(modelId)}`;

const modelOf = (answer: JsonObject): LoggedModel => loggedModelFromJson(readObject(answer, "model"));
