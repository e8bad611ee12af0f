import {
  type ModelVersion,
  modelVersionStages,
  type RegisteredModel,
  type RegisteredModelAlias,
} from "../entities/registered-model.ts";
import { pairFromJson } from "./rest-json-read.ts";
import { integerFromJson, type JsonObject, malformed, readInteger, readList, readText } from "./rest-json-values.ts";

/** Reads a registered model; no name, or a value of another kind: `INTERNAL_ERROR`. */
export function registeredModelFromJson(json: JsonObject): RegisteredModel {
  const updated = readInteger(json, "last_updated_timestamp") ?? 0;
  return {
    name: readText(json, "name"),
    creationTimestamp: readInteger(json, "creation_timestamp") ?? 0,
    ...(updated !== 0 && { lastUpdatedTimestamp: updated }),
    ...textEntry(json, "description", "description"),
    latestVersions: readList(json, "latest_versions", modelVersionFromJson),
    tags: readList(json, "tags", pairFromJson),
    aliases: readList(json, "aliases", aliasFromJson),
  };
}

/** Reads a model version; its number may be a text. */
export function modelVersionFromJson(json: JsonObject): ModelVersion {
  const stage = readText(json, "current_stage", "None");
  const currentStage = modelVersionStages.find((one) => one === stage);
  if (currentStage === undefined) throw malformed("current_stage");
  const updated = readInteger(json, "last_updated_timestamp") ?? 0;
  return {
    name: readText(json, "name"),
    version: readVersion(json),
    creationTimestamp: readInteger(json, "creation_timestamp") ?? 0,
    ...(updated !== 0 && { lastUpdatedTimestamp: updated }),
    ...textEntry(json, "description", "description"),
    ...textEntry(json, "user_id", "userId"),
    currentStage,
    source: readText(json, "source", ""),
    ...textEntry(json, "run_id", "runId"),
    ...textEntry(json, "run_link", "runLink"),
    status: readText(json, "status", "READY"),
    ...textEntry(json, "status_message", "statusMessage"),
    tags: readList(json, "tags", pairFromJson),
    aliases: readTexts(json, "aliases"),
  };
}

function aliasFromJson(json: JsonObject): RegisteredModelAlias {
  return { alias: readText(json, "alias"), version: readVersion(json) };
}

function readVersion(json: JsonObject): number {
  const version = integerFromJson(json["version"]);
  if (version === undefined) throw malformed("version");
  return version;
}

function readTexts(json: JsonObject, key: string): readonly string[] {
  const value = json[key] ?? [];
  if (!Array.isArray(value) || !value.every((item) => typeof item === "string")) throw malformed(key);
  return value;
}

/** MLflow leaves some empty texts out and writes others. */
function textEntry<Name extends string>(json: JsonObject, key: string, name: Name): { [One in Name]?: string } {
  const value = readText(json, key, "");
  return value === "" ? {} : ({ [name]: value } as { [One in Name]?: string });
}
