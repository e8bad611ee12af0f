import type { ModelVersion } from "../../entities/registered-model.ts";
import type { TrackingStore } from "../../store/tracking-store.ts";
import { toPythonJson } from "../../util/python-json.ts";
import type { JsonObject } from "../../wire/rest-json.ts";
import { modelVersionToJson } from "../../wire/rest-json-registry.ts";
import { listField } from "../../wire/rest-json-values.ts";
import * as fields from "../message-fields.ts";
import { resolveModelSource } from "../model-source.ts";
import { readSearch, readStage, requiredVersion } from "../registry-fields.ts";
import type { MessageRoutes } from "../route.ts";

const versionsTag = "mlflow.modelVersions";
const mostVersions = 200_000;

export const modelVersionRoutes: MessageRoutes = {
  "POST /model-versions/create": async (message, { stores }) => {
    const name = fields.requiredText(message, "name");
    const source = fields.requiredText(message, "source");
    const said = {
      source,
      ...fields.textEntry(message, "run_id", "runId"),
      ...fields.textEntry(message, "model_id", "modelId"),
    };
    const tags = fields.pairs(message, "tags");
    const resolved = await resolveModelSource(stores, said, tags);
    const version = await stores.registry.createModelVersion({
      name,
      ...resolved,
      runLink: fields.text(message, "run_link"),
      description: fields.text(message, "description"),
      tags,
    });
    if (said.modelId !== undefined) await noteVersion(stores.tracking, said.modelId, version);
    return answerWith(version);
  },
  "GET /model-versions/get": async (message, { stores }) => {
    const name = fields.requiredText(message, "name");
    return answerWith(await stores.registry.getModelVersion(name, requiredVersion(message)));
  },
  "GET /model-versions/search": async (message, { stores }) => {
    const query = readSearch(message, mostVersions);
    const page = await stores.registry.searchModelVersions({ maxResults: mostVersions, ...query });
    return {
      ...listField("model_versions", page.items, modelVersionToJson),
      ...(page.nextPageToken !== undefined && { next_page_token: page.nextPageToken }),
    };
  },
  "PATCH /model-versions/update": async (message, { stores }) => {
    const name = fields.requiredText(message, "name");
    const description = fields.optionalText(message, "description");
    return answerWith(await stores.registry.updateModelVersion(name, requiredVersion(message), description));
  },
  "POST /model-versions/transition-stage": async (message, { stores }) => {
    const name = fields.requiredText(message, "name");
    const request = {
      stage: readStage(fields.requiredText(message, "stage")),
      archiveExisting: fields.flag(message, "archive_existing_versions"),
    };
    return answerWith(await stores.registry.transitionModelVersionStage(name, requiredVersion(message), request));
  },
  "DELETE /model-versions/delete": (message, { stores }) =>
    stores.registry.deleteModelVersion(fields.requiredText(message, "name"), requiredVersion(message)),
  "GET /model-versions/get-download-uri": async (message, { stores }) => {
    const name = fields.requiredText(message, "name");
    return { artifact_uri: await stores.registry.getModelVersionDownloadUri(name, requiredVersion(message)) };
  },
  "POST /model-versions/set-tag": (message, { stores }) => {
    const name = fields.requiredText(message, "name");
    const tag = { key: fields.requiredText(message, "key"), value: fields.text(message, "value") };
    return stores.registry.setModelVersionTag(name, requiredVersion(message), tag);
  },
  "DELETE /model-versions/delete-tag": (message, { stores }) => {
    const name = fields.requiredText(message, "name");
    return stores.registry.deleteModelVersionTag(name, requiredVersion(message), fields.requiredText(message, "key"));
  },
};

/** A logged model carries the names and numbers that it was registered under, as MLflow's `set_model_versions_tags`. */
async function noteVersion(tracking: TrackingStore, modelId: string, { name, version }: ModelVersion): Promise<void> {
  const { tags } = await tracking.getLoggedModel(modelId);
  const present = JSON.parse(tags.find(({ key }) => key === versionsTag)?.value ?? "[]") as unknown[];
  const value = toPythonJson([...present, { name, version }]);
  await tracking.setLoggedModelTags(modelId, [{ key: versionsTag, value }]);
}

function answerWith(version: ModelVersion): JsonObject {
  return { model_version: modelVersionToJson(version) };
}
