import type { DatabaseSync } from "node:sqlite";
import type { LoggedModel, LoggedModelStatus } from "../../entities/logged-model.ts";
import type { Metric } from "../../entities/metric.ts";
import type { Param } from "../../entities/param.ts";
import type { Tag } from "../../entities/tag.ts";
import { doesNotExist, invalidParameter, StoreError } from "../../errors.ts";
import type { CreateLoggedModelRequest } from "../tracking-store.ts";
import { appendToLocation } from "./artifact-location.ts";
import { getActiveExperiment } from "./experiments.ts";
import { rowToPair, type SqlRow, toNumber, toText } from "./rows.ts";
import { prepareCached } from "./statements.ts";

const statuses: readonly LoggedModelStatus[] = [
  "LOGGED_MODEL_PENDING",
  "LOGGED_MODEL_READY",
  "LOGGED_MODEL_UPLOAD_FAILED",
];

/** For the alias `l` (logged_models); read by `rowToLoggedModel`. */
export const loggedModelColumns = `l.model_id, CAST(l.experiment_id AS TEXT) AS experiment_id, l.name, l.artifact_location,
  CAST(l.creation_timestamp_ms AS REAL) AS creation_time, CAST(l.last_updated_timestamp_ms AS REAL) AS updated_time,
  l.status, l.lifecycle_stage, l.model_type, l.source_run_id, l.status_message`;
const insertModelSql = `INSERT INTO logged_models
  (model_id, experiment_id, name, artifact_location, creation_timestamp_ms, last_updated_timestamp_ms, status,
   lifecycle_stage, model_type, source_run_id)
  VALUES (?, ?, ?, ?, ?, ?, 1, 'active', ?, ?)`;

export type NewLoggedModel = CreateLoggedModelRequest & { readonly modelId: string; readonly name: string };

export function createLoggedModel(db: DatabaseSync, request: NewLoggedModel): LoggedModel {
  const experiment = getActiveExperiment(db, request.experimentId);
  const { modelId, modelType = null, sourceRunId = null, params = [], tags = [] } = request;
  if (readModelRow(db, modelId) !== undefined) {
    throw new StoreError("RESOURCE_ALREADY_EXISTS", `Logged model with ID '${modelId}' already exists.`);
  }
  const location = appendToLocation(experiment.artifactLocation, "models", modelId, "artifacts");
  const now = Date.now();
  const about = [modelId, BigInt(experiment.experimentId), request.name, location, now, now] as const;
  prepareCached(db, insertModelSql).run(...about, modelType, sourceRunId);
  logLoggedModelParams(db, modelId, params);
  setLoggedModelTags(db, modelId, tags);
  return getLoggedModel(db, modelId);
}

/** A deleted model counts as unknown: `RESOURCE_DOES_NOT_EXIST`. */
export function getLoggedModel(db: DatabaseSync, modelId: string): LoggedModel {
  const row = readModelRow(db, modelId);
  if (row === undefined || row["lifecycle_stage"] === "deleted") throw noModel(modelId);
  return rowToLoggedModel(db, row);
}

export function finalizeLoggedModel(db: DatabaseSync, modelId: string, status: LoggedModelStatus): LoggedModel {
  const row = getModelRow(db, modelId);
  const number = statuses.indexOf(status) + 1;
  if (number === 0) throw invalidParameter(`Invalid model status: ${String(status)}`);
  const sql = "UPDATE logged_models SET status = ?, last_updated_timestamp_ms = ? WHERE model_id = ?";
  prepareCached(db, sql).run(number, Date.now(), modelId);
  return rowToLoggedModel(db, readModelRow(db, modelId) ?? row);
}

/** Written once, like a run's params. */
export function logLoggedModelParams(db: DatabaseSync, modelId: string, params: readonly Param[]): void {
  const experimentId = toText(getModelRow(db, modelId)["experiment_id"]);
  const find = prepareCached(db, "SELECT param_value FROM logged_model_params WHERE model_id = ? AND param_key = ?");
  const insert = prepareCached(
    db,
    "INSERT INTO logged_model_params (model_id, experiment_id, param_key, param_value) VALUES (?, ?, ?, ?)",
  );
  for (const { key, value } of params) {
    const present = find.get(modelId, key);
    if (present === undefined) insert.run(modelId, BigInt(experimentId), key, value);
    else if (toText(present["param_value"]) !== value.toWellFormed()) {
      throw invalidParameter(
        `Changing param values is not allowed: '${key}' of model '${modelId}' was already logged ` +
          `with value '${toText(present["param_value"])}', new value '${value}'.`,
      );
    }
  }
}

export function setLoggedModelTags(db: DatabaseSync, modelId: string, tags: readonly Tag[]): void {
  const experimentId = toText(getModelRow(db, modelId)["experiment_id"]);
  const upsert = prepareCached(
    db,
    `INSERT INTO logged_model_tags (model_id, experiment_id, tag_key, tag_value) VALUES (?, ?, ?, ?)
     ON CONFLICT(model_id, tag_key) DO UPDATE SET tag_value = excluded.tag_value`,
  );
  for (const tag of tags) upsert.run(modelId, BigInt(experimentId), tag.key, tag.value);
}

export function deleteLoggedModelTag(db: DatabaseSync, modelId: string, key: string): void {
  getModelRow(db, modelId);
  const sql = "DELETE FROM logged_model_tags WHERE model_id = ? AND tag_key = ?";
  const { changes } = prepareCached(db, sql).run(modelId, key);
  if (Number(changes) === 0) throw doesNotExist(`No tag with key '${key}' found for model with ID '${modelId}'.`);
}

export function deleteLoggedModel(db: DatabaseSync, modelId: string): void {
  getModelRow(db, modelId);
  const sql = "UPDATE logged_models SET lifecycle_stage = 'deleted', last_updated_timestamp_ms = ? WHERE model_id = ?";
  prepareCached(db, sql).run(Date.now(), modelId);
}

function readModelRow(db: DatabaseSync, modelId: string): SqlRow | undefined {
  return prepareCached(db, `SELECT ${loggedModelColumns} FROM logged_models l WHERE l.model_id = ?`).get(modelId);
}

function getModelRow(db: DatabaseSync, modelId: string): SqlRow {
  const row = readModelRow(db, modelId);
  if (row === undefined) throw noModel(modelId);
  return row;
}

/** Reads a row of `loggedModelColumns`, with what belongs to the model. */
export function rowToLoggedModel(db: DatabaseSync, row: SqlRow): LoggedModel {
  const modelId = toText(row["model_id"]);
  const text = (column: string) => toText(row[column]);
  const read = (sql: string) => prepareCached(db, sql).all(modelId);
  const params =
    'SELECT param_key AS "key", param_value AS value FROM logged_model_params WHERE model_id = ? ORDER BY 1';
  const tags = 'SELECT tag_key AS "key", tag_value AS value FROM logged_model_tags WHERE model_id = ? ORDER BY 1';
  return {
    modelId,
    experimentId: text("experiment_id"),
    name: text("name"),
    artifactLocation: text("artifact_location"),
    creationTimestamp: toNumber(row["creation_time"]),
    lastUpdatedTimestamp: toNumber(row["updated_time"]),
    status: statuses[toNumber(row["status"]) - 1] ?? "LOGGED_MODEL_PENDING",
    ...(text("status_message") !== "" && { statusMessage: text("status_message") }),
    ...(text("model_type") !== "" && { modelType: text("model_type") }),
    ...(text("source_run_id") !== "" && { sourceRunId: text("source_run_id") }),
    params: read(params).map(rowToPair),
    tags: read(tags).map(rowToPair),
    metrics: readModelMetrics(db, modelId),
  };
}

function readModelMetrics(db: DatabaseSync, modelId: string): readonly Metric[] {
  const sql = `SELECT metric_name, metric_value, CAST(metric_timestamp_ms AS REAL) AS timestamp,
    CAST(metric_step AS REAL) AS step, run_id, dataset_name, dataset_digest
    FROM logged_model_metrics WHERE model_id = ? ORDER BY metric_name, metric_timestamp_ms, metric_step, run_id`;
  return prepareCached(db, sql)
    .all(modelId)
    .map((row) => {
      const datasetName = toText(row["dataset_name"]);
      const datasetDigest = toText(row["dataset_digest"]);
      return {
        key: toText(row["metric_name"]),
        value: row["metric_value"] === null ? Number.NaN : toNumber(row["metric_value"]),
        timestamp: toNumber(row["timestamp"]),
        step: toNumber(row["step"]),
        modelId,
        runId: toText(row["run_id"]),
        ...(datasetName !== "" && { datasetName }),
        ...(datasetDigest !== "" && { datasetDigest }),
      };
    });
}

function noModel(modelId: string): StoreError {
  return doesNotExist(`Logged model with ID '${modelId}' not found.`);
}
