import type { LoggedModelStatus } from "../../entities/logged-model.ts";
import type { JsonObject } from "../../wire/rest-json.ts";
import { loggedModelToJson } from "../../wire/rest-json-models.ts";
import { listField } from "../../wire/rest-json-values.ts";
import { listArtifacts } from "../list-artifacts.ts";
import * as fields from "../message-fields.ts";
import type { Call, MessageRoutes } from "../route.ts";

const statuses: readonly LoggedModelStatus[] = [
  "LOGGED_MODEL_PENDING",
  "LOGGED_MODEL_READY",
  "LOGGED_MODEL_UPLOAD_FAILED",
];

export const loggedModelRoutes: MessageRoutes = {
  "POST /logged-models": async (message, { stores }) => {
    const model = await stores.tracking.createLoggedModel({
      experimentId: fields.requiredText(message, "experiment_id"),
      ...fields.textEntry(message, "name", "name"),
      ...fields.textEntry(message, "model_type", "modelType"),
      ...fields.textEntry(message, "source_run_id", "sourceRunId"),
      params: fields.pairs(message, "params"),
      tags: fields.pairs(message, "tags"),
    });
    return { model: loggedModelToJson(model) };
  },
  "POST /logged-models/search": async (message, { stores }) => {
    const experimentIds = fields.texts(message, "experiment_ids");
    if (message["experiment_ids"] === undefined) throw fields.missing("experiment_ids");
    const maxResults = fields.optionalInteger(message, "max_results") ?? 0;
    const page = await stores.tracking.searchLoggedModels({
      experimentIds,
      ...fields.textEntry(message, "filter", "filter"),
      datasets: fields.objects(message, "datasets").map((dataset) => ({
        datasetName: fields.text(dataset, "dataset_name"),
        ...fields.textEntry(dataset, "dataset_digest", "datasetDigest"),
      })),
      orderBy: fields.objects(message, "order_by").map((order) => ({
        fieldName: fields.text(order, "field_name"),
        isAscending: fields.flag(order, "ascending", true),
        ...fields.textEntry(order, "dataset_name", "datasetName"),
        ...fields.textEntry(order, "dataset_digest", "datasetDigest"),
      })),
      ...(maxResults !== 0 && { maxResults }),
      ...fields.textEntry(message, "page_token", "pageToken"),
    });
    return {
      ...listField("models", page.items, loggedModelToJson),
      ...(page.nextPageToken !== undefined && { next_page_token: page.nextPageToken }),
    };
  },
  "GET /logged-models/{model_id}": async (_message, call) => ({
    model: loggedModelToJson(await call.stores.tracking.getLoggedModel(modelIdOf(call))),
  }),
  "PATCH /logged-models/{model_id}": async (message, call) => {
    const status = fields.enumName(message, "status", statuses);
    if (status === undefined) throw fields.missing("status");
    fields.requiredText(message, "model_id");
    return { model: loggedModelToJson(await call.stores.tracking.finalizeLoggedModel(modelIdOf(call), status)) };
  },
  "DELETE /logged-models/{model_id}": (_message, call) => call.stores.tracking.deleteLoggedModel(modelIdOf(call)),
  "POST /logged-models/{model_id}/params": (message, call) => {
    fields.requiredText(message, "model_id");
    return call.stores.tracking.logLoggedModelParams(modelIdOf(call), fields.pairs(message, "params"));
  },
  "PATCH /logged-models/{model_id}/tags": (message, call) =>
    call.stores.tracking.setLoggedModelTags(modelIdOf(call), fields.pairs(message, "tags")),
  "DELETE /logged-models/{model_id}/tags/{tag_key}": (_message, call) =>
    call.stores.tracking.deleteLoggedModelTag(modelIdOf(call), call.path["tag_key"] ?? ""),
  "GET /logged-models/{model_id}/artifacts/directories": async (message, call): Promise<JsonObject> => {
    const folder = fields.text(message, "artifact_directory_path");
    const { artifactLocation } = await call.stores.tracking.getLoggedModel(modelIdOf(call));
    return listArtifacts(call.stores, artifactLocation, folder);
  },
};

function modelIdOf({ path }: Call): string {
  return path["model_id"] ?? "";
}
