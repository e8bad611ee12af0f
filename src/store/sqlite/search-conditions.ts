import type { SQLInputValue } from "node:sqlite";
import { mlflowTags } from "../../entities/tag-keys.ts";
import { invalidParameter } from "../../errors.ts";
import type { Condition } from "../../wire/search-filter-conditions.ts";
import type { RunField } from "../../wire/search-filter-fields.ts";
import type { ExperimentComparison, RunComparison } from "../../wire/search-filter.ts";

/** A piece of SQL and the values of its parameters, in order. */
export interface SqlPiece {
  readonly sql: string;
  readonly values: readonly SQLInputValue[];
}

/** The comparison as a condition on `runs r`. */
export function compileRunComparison({ field, condition }: RunComparison): SqlPiece {
  switch (field.entity) {
    case "metric":
      return compileKeyed("latest_metrics", field.key, compileMetricValue(condition));
    case "param":
      return compilePair("params", field.key, condition);
    case "tag":
      return compilePair("tags", field.key, condition);
    case "dataset":
      return compileDataset(field.key, condition);
    case "attribute":
      if (field.key === "run_name") return compilePair("tags", mlflowTags.runName, condition);
      return compileCondition(`r.${runAttributeColumns[field.key]}`, condition);
  }
}

/** The comparison as a condition on `experiments e`. */
export function compileExperimentComparison({ field, condition }: ExperimentComparison): SqlPiece {
  if (field.entity === "attribute") {
    const column = `e.${field.key}`;
    return field.key === "experiment_id" ? compileIdCondition(column, condition) : compileCondition(column, condition);
  }
  const from = 'FROM experiment_tags v WHERE v.experiment_id = e.experiment_id AND v."key" = ?';
  return compileExists(from, field.key, condition);
}

/** Column of `runs` behind each attribute. */
export const runAttributeColumns: Readonly<Record<Extract<RunField, { entity: "attribute" }>["key"], string>> = {
  run_id: "run_uuid",
  run_name: "name",
  user_id: "user_id",
  status: "status",
  artifact_uri: "artifact_uri",
  start_time: "start_time",
  end_time: "end_time",
};

/** Ids of experiments as a JSON array of integers; a text that is not decimal digits: `INVALID_PARAMETER_VALUE`. */
export function experimentIdsJson(ids: readonly string[]): string {
  const wrong = ids.find((id) => !/^[0-9]{1,19}$/u.test(id));
  if (wrong !== undefined) throw invalidParameter(`not an experiment id: ${JSON.stringify(wrong)}`);
  return `[${ids.map((id) => String(BigInt(id))).join(",")}]`;
}

function compilePair(table: "params" | "tags", key: string, condition: Condition): SqlPiece {
  return compileExists(`FROM ${table} v WHERE v.run_uuid = r.run_uuid AND v."key" = ?`, key, condition);
}

/** A row that is there counts as not NULL even where its value is NULL, as in MLflow. */
function compileExists(from: string, key: string, condition: Condition): SqlPiece {
  if (condition.kind === "presence") {
    const not = condition.operator === "IS NULL" ? "NOT " : "";
    return { sql: `${not}EXISTS (SELECT 1 ${from})`, values: [key] };
  }
  const value = compileCondition("v.value", condition);
  return { sql: `EXISTS (SELECT 1 ${from} AND ${value.sql})`, values: [key, ...value.values] };
}

function compileKeyed(table: "latest_metrics", key: string, value: SqlPiece): SqlPiece {
  const sql = `EXISTS (SELECT 1 FROM ${table} v WHERE v.run_uuid = r.run_uuid AND v."key" = ? AND ${value.sql})`;
  return { sql, values: [key, ...value.values] };
}

/** NaN is stored as 0 with `is_nan` set; it is unequal to every number and nothing else (MLflow >= 3.17). */
function compileMetricValue(condition: Condition): SqlPiece {
  const value = compileCondition("v.value", condition);
  const isUnequal = condition.operator === "!=";
  return {
    sql: isUnequal ? `(${value.sql} OR v.is_nan = 1)` : `(${value.sql} AND v.is_nan = 0)`,
    values: value.values,
  };
}

function compileDataset(key: "name" | "digest" | "context", condition: Condition): SqlPiece {
  const inputs = "i.destination_type = 'RUN' AND i.destination_id = r.run_uuid AND i.source_type = 'DATASET'";
  if (key === "context") {
    const value = compileCondition("t.value", condition);
    const from = "FROM inputs i JOIN input_tags t ON t.input_uuid = i.input_uuid";
    const sql = `EXISTS (SELECT 1 ${from} WHERE ${inputs} AND t.name = ? AND ${value.sql})`;
    return { sql, values: [datasetContextTag, ...value.values] };
  }
  const value = compileCondition(`d.${key}`, condition);
  const from = "FROM inputs i JOIN datasets d ON d.dataset_uuid = i.source_id";
  return { sql: `EXISTS (SELECT 1 ${from} WHERE ${inputs} AND ${value.sql})`, values: value.values };
}

const datasetContextTag = "mlflow.data.context";

/** The condition on a column. GLOB stands for LIKE because it always heeds case; LIKE does so only where the connection says it. */
export function compileCondition(column: string, condition: Condition): SqlPiece {
  switch (condition.kind) {
    case "number":
      return { sql: `${column} ${condition.operator} ?`, values: [condition.value] };
    case "list":
      return {
        sql: `${column} ${condition.operator} (SELECT value FROM json_each(?))`,
        values: [JSON.stringify(condition.values)],
      };
    case "presence":
      return { sql: `${column} ${condition.operator}`, values: [] };
    case "text":
      if (condition.operator === "LIKE") return { sql: `${column} GLOB ?`, values: [likeToGlob(condition.value)] };
      if (condition.operator === "ILIKE") {
        return { sql: `lower(${column}) GLOB lower(?)`, values: [likeToGlob(condition.value)] };
      }
      return { sql: `${column} ${condition.operator} ?`, values: [condition.value] };
  }
}

function compileIdCondition(column: string, condition: Condition): SqlPiece {
  if (condition.kind === "list") {
    const sql = `${column} ${condition.operator} (SELECT value FROM json_each(?))`;
    return { sql, values: [experimentIdsJson(condition.values)] };
  }
  if (condition.kind !== "text") return compileCondition(column, condition);
  return { sql: `${column} ${condition.operator} ?`, values: [BigInt(condition.value)] };
}

/** SQLite's SQLITE_MAX_LIKE_PATTERN_LENGTH; a longer pattern is an error of the whole statement. */
const maxPatternBytes = 50_000;

function likeToGlob(pattern: string): string {
  const glob = pattern.replaceAll(/[*?[%_]/gu, (mark) => (mark === "%" ? "*" : mark === "_" ? "?" : `[${mark}]`));
  if (Buffer.byteLength(glob) > maxPatternBytes) throw invalidParameter("filter: the LIKE pattern is too long");
  return glob;
}
