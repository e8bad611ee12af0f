import type { RegisteredModel } from "../../entities/registered-model.ts";
import type { JsonObject } from "../../wire/rest-json.ts";
import { modelVersionToJson, registeredModelToJson } from "../../wire/rest-json-registry.ts";
import { listField } from "../../wire/rest-json-values.ts";
import * as fields from "../message-fields.ts";
import { readSearch, readStage, requiredVersion } from "../registry-fields.ts";
import type { MessageRoutes } from "../route.ts";

export const registeredModelRoutes: MessageRoutes = {
  "POST /registered-models/create": async (message, { stores }) =>
    answerWith(
      await stores.registry.createRegisteredModel({
        name: fields.requiredText(message, "name"),
        description: fields.text(message, "description"),
        tags: fields.pairs(message, "tags"),
      }),
    ),
  "GET /registered-models/get": async (message, { stores }) =>
    answerWith(await stores.registry.getRegisteredModel(fields.requiredText(message, "name"))),
  "GET /registered-models/search": async (message, { stores }) => {
    const page = await stores.registry.searchRegisteredModels(readSearch(message, 1000));
    return {
      ...listField("registered_models", page.items, registeredModelToJson),
      ...(page.nextPageToken !== undefined && { next_page_token: page.nextPageToken }),
    };
  },
  "PATCH /registered-models/update": async (message, { stores }) => {
    const name = fields.requiredText(message, "name");
    return answerWith(await stores.registry.updateRegisteredModel(name, fields.text(message, "description")));
  },
  "POST /registered-models/rename": async (message, { stores }) => {
    const name = fields.requiredText(message, "name");
    return answerWith(await stores.registry.renameRegisteredModel(name, fields.requiredText(message, "new_name")));
  },
  "DELETE /registered-models/delete": (message, { stores }) =>
    stores.registry.deleteRegisteredModel(fields.requiredText(message, "name")),
  "GET,POST /registered-models/get-latest-versions": async (message, { stores }) => {
    const name = fields.requiredText(message, "name");
    const stages = fields.texts(message, "stages").map(readStage);
    return listField("model_versions", await stores.registry.getLatestVersions(name, stages), modelVersionToJson);
  },
  "POST /registered-models/set-tag": (message, { stores }) => {
    const tag = { key: fields.requiredText(message, "key"), value: fields.text(message, "value") };
    return stores.registry.setRegisteredModelTag(fields.requiredText(message, "name"), tag);
  },
  "DELETE /registered-models/delete-tag": (message, { stores }) =>
    stores.registry.deleteRegisteredModelTag(fields.requiredText(message, "name"), fields.requiredText(message, "key")),
  "POST /registered-models/alias": (message, { stores }) => {
    const name = fields.requiredText(message, "name");
    const alias = fields.requiredText(message, "alias");
    return stores.registry.setRegisteredModelAlias(name, alias, requiredVersion(message));
  },
  "GET /registered-models/alias": async (message, { stores }) => {
    const name = fields.requiredText(message, "name");
    const version = await stores.registry.getModelVersionByAlias(name, fields.requiredText(message, "alias"));
    return { model_version: modelVersionToJson(version) };
  },
  "DELETE /registered-models/alias": (message, { stores }) =>
    stores.registry.deleteRegisteredModelAlias(
      fields.requiredText(message, "name"),
      fields.requiredText(message, "alias"),
    ),
};

function answerWith(model: RegisteredModel): JsonObject {
  return { registered_model: registeredModelToJson(model) };
}
