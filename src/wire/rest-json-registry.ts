import type { ModelVersion, RegisteredModel } from "../entities/registered-model.ts";
import { type JsonObject, pairToJson } from "./rest-json.ts";
import { listField } from "./rest-json-values.ts";

/** A registered model as MLflow's REST API gives it. */
export function registeredModelToJson(model: RegisteredModel): JsonObject {
  const { lastUpdatedTimestamp: updated = 0, description = "" } = model;
  return {
    name: model.name,
    creation_timestamp: model.creationTimestamp,
    ...(updated !== 0 && { last_updated_timestamp: updated }),
    ...(description !== "" && { description }),
    ...listField("latest_versions", model.latestVersions, modelVersionToJson),
    ...listField("tags", model.tags, pairToJson),
    ...listField("aliases", model.aliases, ({ alias, version }) => ({ alias, version: String(version) })),
  };
}

/** A model version; its number is a text there. */
export function modelVersionToJson(version: ModelVersion): JsonObject {
  return {
    name: version.name,
    version: String(version.version),
    creation_timestamp: version.creationTimestamp,
    ...(version.lastUpdatedTimestamp !== undefined && { last_updated_timestamp: version.lastUpdatedTimestamp }),
    ...(version.userId !== undefined && { user_id: version.userId }),
    current_stage: version.currentStage,
    ...(version.description !== undefined && { description: version.description }),
    source: version.source,
    ...(version.runId !== undefined && { run_id: version.runId }),
    status: version.status,
    ...(version.statusMessage !== undefined && { status_message: version.statusMessage }),
    ...listField("tags", version.tags, pairToJson),
    ...(version.runLink !== undefined && { run_link: version.runLink }),
    ...(version.aliases.length > 0 && { aliases: version.aliases }),
  };
}
