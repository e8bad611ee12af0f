import type { DatabaseSync } from "node:sqlite";
import type { ModelVersion, RegisteredModel } from "../../entities/registered-model.ts";
import { invalidParameter } from "../../errors.ts";
import {
  type ModelComparison,
  parseModelVersionFilter,
  parseRegisteredModelFilter,
  parseRegistryOrderBy,
  type RegistryOrder,
} from "../../wire/model-search.ts";
import type { SearchRegistryQuery } from "../registry-store.ts";
import type { Page } from "../tracking-store.ts";
import { deletedStage, modelVersionColumns, rowToModelVersion } from "./model-versions.ts";
import { registeredModelColumns, rowToRegisteredModel } from "./registered-models.ts";
import { compileCondition, type SqlPiece } from "./search-conditions.ts";
import { selectPage } from "./search-page.ts";

const promptTag = "mlflow.prompt.is_prompt";
const modelOrderColumns: Readonly<Record<string, string>> = {
  name: "m.name",
  timestamp: "m.last_updated_time",
  last_updated_timestamp: "m.last_updated_time",
};
const versionColumns: Readonly<Record<string, string>> = {
  name: "v.name",
  run_id: "v.run_id",
  source_path: "v.source",
  version_number: "v.version",
  creation_timestamp: "v.creation_time",
  last_updated_timestamp: "v.last_updated_time",
};
const versionOrders = ["name", "version_number", "creation_timestamp", "last_updated_timestamp"];

/** Sorted by name unless the query says otherwise. A mistake in the query is `INVALID_PARAMETER_VALUE`. */
export function searchRegisteredModels(db: DatabaseSync, query: SearchRegistryQuery): Page<RegisteredModel> {
  const maxResults = checkMaxResults(query.maxResults ?? 100, 0, 1000);
  const comparisons = parseRegisteredModelFilter(query.filter ?? "");
  const orders = parseRegistryOrderBy(query.orderBy ?? [], Object.keys(modelOrderColumns));
  const parts = {
    columns: registeredModelColumns,
    from: { sql: "registered_models m", values: [] },
    where: [
      ...comparisons.filter(isNotAboutPrompts).map((comparison) => compileModelComparison(comparison)),
      compilePrompts("m.name", "registered_model_tags", comparisons),
    ],
    orderBy: compileOrder(orders, modelOrderColumns, ["m.name"]),
  };
  const { rows, ...next } = selectPage(db, parts, { maxResults, pageToken: query.pageToken });
  return { items: rows.map((row) => rowToRegisteredModel(db, row)), ...next };
}

/** Last updated first unless the query says otherwise; ties: name, then the highest version. */
export function searchModelVersions(db: DatabaseSync, query: SearchRegistryQuery): Page<ModelVersion> {
  const maxResults = checkMaxResults(query.maxResults ?? 10_000, 1, 200_000);
  const comparisons = parseModelVersionFilter(query.filter ?? "");
  const given = query.orderBy ?? [];
  const orders = parseRegistryOrderBy(given.length === 0 ? ["last_updated_timestamp DESC"] : given, versionOrders);
  const parts = {
    columns: modelVersionColumns,
    from: { sql: "model_versions v", values: [] },
    where: [
      { sql: "v.current_stage != ?", values: [deletedStage] },
      ...comparisons.filter(isNotAboutPrompts).map((comparison) => compileVersionComparison(comparison)),
      compilePrompts("v.name", "model_version_tags", comparisons),
    ],
    orderBy: compileOrder(orders, versionColumns, ["v.name", "v.version DESC"]),
  };
  const { rows, ...next } = selectPage(db, parts, { maxResults, pageToken: query.pageToken });
  return { items: rows.map((row) => rowToModelVersion(db, row, false)), ...next };
}

function compileModelComparison({ field, condition }: ModelComparison): SqlPiece {
  if (field.entity === "attribute") return compileCondition(`m.${field.key}`, condition);
  const value = compileCondition("t.value", condition);
  const sql = `EXISTS (SELECT 1 FROM registered_model_tags t WHERE t.name = m.name AND t."key" = ? AND ${value.sql})`;
  return { sql, values: [field.key, ...value.values] };
}

function compileVersionComparison({ field, condition }: ModelComparison): SqlPiece {
  if (field.entity === "attribute") return compileCondition(versionColumns[field.key] ?? "v.name", condition);
  const value = compileCondition("t.value", condition);
  const tags = 'FROM model_version_tags t WHERE t.name = v.name AND t.version = v.version AND t."key" = ?';
  return { sql: `EXISTS (SELECT 1 ${tags} AND ${value.sql})`, values: [field.key, ...value.values] };
}

/** Models do not carry the tag, so it says nothing about them as other tags would: prompts are asked for, or they are left out. */
function compilePrompts(name: string, table: string, comparisons: readonly ModelComparison[]): SqlPiece {
  const isAskedFor = comparisons.some(
    (comparison) =>
      !isNotAboutPrompts(comparison) &&
      comparison.condition.kind === "text" &&
      comparison.condition.value.toLowerCase() === (comparison.condition.operator === "=" ? "true" : "false"),
  );
  const sql = `${isAskedFor ? "" : "NOT "}EXISTS (SELECT 1 FROM ${table} p WHERE p.name = ${name} AND p."key" = ? AND p.value = 'true')`;
  return { sql, values: [promptTag] };
}

function isNotAboutPrompts({ field }: ModelComparison): boolean {
  return field.entity !== "tag" || field.key !== promptTag;
}

function compileOrder(
  orders: readonly RegistryOrder[],
  columns: Readonly<Record<string, string>>,
  ties: readonly string[],
): string {
  const terms = orders.map(({ key, isDescending }) => `${columns[key] ?? "1"}${isDescending ? " DESC" : ""}`);
  return [...terms, ...ties].join(", ");
}

function checkMaxResults(maxResults: number, least: number, most: number): number {
  if (Number.isInteger(maxResults) && maxResults >= least && maxResults <= most) return maxResults;
  throw invalidParameter(`Invalid value ${maxResults} for max_results. It must be from ${least} to ${most}.`);
}
