import type { DatabaseSync } from "node:sqlite";
import type { LoggedModel } from "../../entities/logged-model.ts";
import { invalidParameter } from "../../errors.ts";
import { type ModelComparison, parseLoggedModelFilter, parseLoggedModelOrderField } from "../../wire/model-search.ts";
import type { DatasetFilter, LoggedModelOrder, Page, SearchLoggedModelsQuery } from "../tracking-store.ts";
import { loggedModelColumns, rowToLoggedModel } from "./logged-models.ts";
import { compileCondition, experimentIdsJson, type SqlPiece } from "./search-conditions.ts";
import { selectPage } from "./search-page.ts";

const defaultMaxResults = 50;

/** More than this would be more joined tables than SQLite carries. */
const maxOrders = 60;

/** Active models that fulfil the filter, newest first unless the query says otherwise. A mistake in the query is `INVALID_PARAMETER_VALUE`. */
export function searchLoggedModels(db: DatabaseSync, query: SearchLoggedModelsQuery): Page<LoggedModel> {
  const { maxResults = defaultMaxResults, datasets = [] } = query;
  if (!(Number.isSafeInteger(maxResults) && maxResults > 0)) {
    throw invalidParameter(
      `Invalid value ${maxResults} for parameter 'max_results': it must be a whole number above 0`,
    );
  }
  if (datasets.some(({ datasetName }) => datasetName === "")) {
    throw invalidParameter("`dataset_name` in the `datasets` clause must be specified.");
  }
  const comparisons = parseLoggedModelFilter(query.filter ?? "");
  const orders = compileOrders(query.orderBy ?? []);
  const experimentIds = experimentIdsJson(query.experimentIds);
  const parts = {
    columns: loggedModelColumns,
    from: {
      sql: ["logged_models l", ...orders.map((order) => order.join.sql)].join("\n"),
      values: orders.flatMap((order) => order.join.values),
    },
    where: [
      { sql: "l.lifecycle_stage != 'deleted'", values: [] },
      { sql: "l.experiment_id IN (SELECT value FROM json_each(?))", values: [experimentIds] },
      ...comparisons.map((comparison) => compileComparison(comparison, datasets)),
      ...compileDatasetsAlone(comparisons, datasets),
    ],
    orderBy: [...orders.map((order) => order.terms), "l.creation_timestamp_ms DESC", "l.model_id"].join(", "),
  };
  const { rows, ...next } = selectPage(db, parts, { maxResults, pageToken: query.pageToken });
  return { items: rows.map((row) => rowToLoggedModel(db, row)), ...next };
}

function compileComparison({ field, condition }: ModelComparison, datasets: readonly DatasetFilter[]): SqlPiece {
  switch (field.entity) {
    case "attribute":
      return compileCondition(
        field.key === "experiment_id" ? "CAST(l.experiment_id AS TEXT)" : `l.${field.key}`,
        condition,
      );
    case "param":
      return compileOwned("logged_model_params v", "param", {
        key: field.key,
        value: compileCondition("v.param_value", condition),
      });
    case "tag":
      return compileOwned("logged_model_tags v", "tag", {
        key: field.key,
        value: compileCondition("v.tag_value", condition),
      });
    case "metric": {
      const value = compileCondition("v.metric_value", condition);
      const dataset = compileDatasets(datasets);
      const sql = `${value.sql}${dataset === undefined ? "" : ` AND ${dataset.sql}`}`;
      const values = [...value.values, ...(dataset?.values ?? [])];
      const from = "SELECT 1 FROM logged_model_metrics v WHERE v.model_id = l.model_id AND v.metric_name = ?";
      return { sql: `EXISTS (${from} AND ${sql})`, values: [field.key, ...values] };
    }
  }
}

function compileOwned(table: string, what: string, { key, value }: { key: string; value: SqlPiece }): SqlPiece {
  const sql = `EXISTS (SELECT 1 FROM ${table} WHERE v.model_id = l.model_id AND v.${what}_key = ? AND ${value.sql})`;
  return { sql, values: [key, ...value.values] };
}

/** Datasets without a metric to look up in them ask for models that have any metric of them. */
function compileDatasetsAlone(
  comparisons: readonly ModelComparison[],
  datasets: readonly DatasetFilter[],
): readonly SqlPiece[] {
  const dataset = compileDatasets(datasets);
  if (dataset === undefined || comparisons.some(({ field }) => field.entity === "metric")) return [];
  const sql = `EXISTS (SELECT 1 FROM logged_model_metrics v WHERE v.model_id = l.model_id AND ${dataset.sql})`;
  return [{ sql, values: dataset.values }];
}

function compileDatasets(datasets: readonly DatasetFilter[]): SqlPiece | undefined {
  if (datasets.length === 0) return undefined;
  const pieces = datasets.map(compileDataset);
  return { sql: `(${pieces.map(({ sql }) => sql).join(" OR ")})`, values: pieces.flatMap(({ values }) => values) };
}

function compileDataset({ datasetName, datasetDigest }: DatasetFilter): SqlPiece {
  if (datasetDigest === undefined) return { sql: "v.dataset_name = ?", values: [datasetName] };
  return { sql: "(v.dataset_name = ? AND v.dataset_digest = ?)", values: [datasetName, datasetDigest] };
}

interface CompiledOrder {
  readonly join: SqlPiece;
  readonly terms: string;
}

function compileOrders(orders: readonly LoggedModelOrder[]): readonly CompiledOrder[] {
  if (orders.length > maxOrders) throw invalidParameter(`more than ${maxOrders} fields in order_by`);
  return orders.map(compileOrder);
}

function compileOrder(order: LoggedModelOrder, index: number): CompiledOrder {
  const field = parseLoggedModelOrderField(order.fieldName);
  const direction = order.isAscending === false ? " DESC" : "";
  if (field.entity === "attribute") {
    const column = `l.${field.key}`;
    return { join: { sql: "", values: [] }, terms: `${column} IS NULL, ${column}${direction}` };
  }
  const name = `o${index}`;
  const { datasetName, datasetDigest } = order;
  const filters = [
    ...(datasetName === undefined ? [] : [" AND v.dataset_name = ?"]),
    ...(datasetDigest === undefined ? [] : [" AND v.dataset_digest = ?"]),
  ].join("");
  const latest = `SELECT v.model_id, v.metric_value, row_number() OVER (PARTITION BY v.model_id
    ORDER BY v.metric_timestamp_ms DESC, v.metric_step DESC, v.run_id) AS place
    FROM logged_model_metrics v WHERE v.metric_name = ?${filters}`;
  const values = [field.key, datasetName, datasetDigest].filter((value) => value !== undefined);
  return {
    join: { sql: `LEFT JOIN (${latest}) ${name} ON ${name}.model_id = l.model_id AND ${name}.place = 1`, values },
    terms: `${name}.metric_value IS NULL, ${name}.metric_value${direction}`,
  };
}
