import { type ModelVersionStage, modelVersionStages } from "../entities/registered-model.ts";
import { invalidParameter } from "../errors.ts";
import type { SearchRegistryQuery } from "../store/registry-store.ts";
import type { JsonObject } from "../wire/rest-json.ts";
import * as fields from "./message-fields.ts";

/** A version's number, which is a text in messages. */
export function requiredVersion(message: JsonObject): number {
  const value = fields.requiredText(message, "version");
  if (/^\s*[+-]?[0-9]+\s*$/u.test(value) && Number.isSafeInteger(Number(value))) return Number(value);
  throw invalidParameter(`Parameter 'version' must be an integer, got '${value.slice(0, 100)}'.`);
}

/** Any case. */
export function readStage(text: string): ModelVersionStage {
  const stage = modelVersionStages.find((one) => one.toLowerCase() === text.toLowerCase());
  if (stage !== undefined) return stage;
  throw invalidParameter(
    `Invalid Model Version stage: ${text.slice(0, 100)}. Value must be one of ${modelVersionStages.join(", ")}.`,
  );
}

/** Filter, order and page of a search; `most`: the largest page that the API takes. */
export function readSearch(message: JsonObject, most: number): SearchRegistryQuery {
  const maxResults = fields.optionalInteger(message, "max_results");
  if (maxResults !== undefined && maxResults > most) {
    throw invalidParameter(
      `Invalid value ${maxResults} for parameter 'max_results' supplied. It must be at most ${most}.`,
    );
  }
  return {
    ...fields.textEntry(message, "filter", "filter"),
    orderBy: fields.texts(message, "order_by"),
    ...(maxResults !== undefined && { maxResults }),
    ...fields.textEntry(message, "page_token", "pageToken"),
  };
}
