import type { DatabaseSync } from "node:sqlite";
import type { Metric } from "../../entities/metric.ts";
import type { Param } from "../../entities/param.ts";
import { doesNotExist, invalidParameter } from "../../errors.ts";
import type { LogBatchRequest } from "../tracking-store.ts";
import { toText } from "./rows.ts";
import { getActiveRunInfo, setRunTag } from "./runs.ts";
import { prepareCached } from "./statements.ts";

const largestValue = 1.797_693_134_862_315_7e308;

/** Rows of one INSERT: a third faster than one row each, and a longer list gains nothing more (measured, 5,000 a batch). */
const rowsPerInsert = 100;

// DO NOTHING rather than OR IGNORE: the latter would also drop rows that break another constraint.
const insertMetricsSql = (
  rows: number,
): string => `INSERT INTO metrics ("key", value, timestamp, run_uuid, step, is_nan)
  VALUES ${Array.from({ length: rows }, () => "(?, ?, ?, ?, ?, ?)").join(", ")} ON CONFLICT DO NOTHING`;
const insertMetricSql = insertMetricsSql(1);
const insertManyMetricsSql = insertMetricsSql(rowsPerInsert);
const upsertLatestSql = `INSERT INTO latest_metrics ("key", value, timestamp, step, is_nan, run_uuid)
  VALUES (?, ?, ?, ?, ?, ?)
  ON CONFLICT("key", run_uuid) DO UPDATE
  SET value = excluded.value, timestamp = excluded.timestamp, step = excluded.step, is_nan = excluded.is_nan
  WHERE (excluded.step, excluded.timestamp, excluded.value)
    > (latest_metrics.step, coalesce(latest_metrics.timestamp, 0), latest_metrics.value)`;
const insertModelMetricSql = `INSERT INTO logged_model_metrics
  (model_id, metric_name, metric_timestamp_ms, metric_step, metric_value, experiment_id, run_id, dataset_name, dataset_digest)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`;

/** Writes params, metrics, tags in this order, all or nothing; the caller has checked the names and holds the transaction. */
export function logBatch(db: DatabaseSync, runId: string, request: LogBatchRequest): void {
  const { experimentId } = getActiveRunInfo(db, runId);
  const { params = [], metrics = [], tags = [] } = request;
  if (params.length > 0) logParams(db, runId, params);
  if (metrics.length > 0) {
    logMetrics(db, runId, metrics);
    logModelMetrics(db, { runId, experimentId }, metrics);
  }
  for (const tag of tags) setRunTag(db, runId, tag);
}

function logParams(db: DatabaseSync, runId: string, params: readonly Param[]): void {
  const find = prepareCached(db, 'SELECT value FROM params WHERE "key" = ? AND run_uuid = ?');
  const insert = prepareCached(db, 'INSERT INTO params ("key", value, run_uuid) VALUES (?, ?, ?)');
  const changed: string[] = [];
  for (const { key, value } of params) {
    const row = find.get(key, runId);
    const present = row === undefined ? undefined : toText(row["value"]);
    if (present === undefined) insert.run(key, value, runId);
    // SQLite keeps UTF-8, where a lone surrogate becomes U+FFFD: the same value said again must not look changed.
    else if (present !== value.toWellFormed()) {
      changed.push(`{'key': '${key}', 'old_value': '${present}', 'new_value': '${value}'}`);
    }
  }
  if (changed.length === 0) return;
  throw invalidParameter(
    `Changing param values is not allowed. Params were already logged='[${changed.join(", ")}]' for run ID='${runId}'.`,
  );
}

/** Exact repeats are dropped. Both tables are written key by key: neighbours in the index cost the least. */
function logMetrics(db: DatabaseSync, runId: string, metrics: readonly Metric[]): void {
  const pointsByKey = Map.groupBy(metrics, (metric) => metric.key);
  insertPoints(db, runId, [...pointsByKey.values()].flat());
  const upsert = prepareCached(db, upsertLatestSql);
  for (const [key, points] of pointsByKey) {
    const latest = points.reduce((best, point) => (isLater(point, best) ? point : best));
    upsert.run(key, toStoredValue(latest.value), latest.timestamp, latest.step, toFlag(latest.value), runId);
  }
}

function insertPoints(db: DatabaseSync, runId: string, points: readonly Metric[]): void {
  const insertMany = prepareCached(db, insertManyMetricsSql);
  const insertOne = prepareCached(db, insertMetricSql);
  const manyUntil = points.length - (points.length % rowsPerInsert);
  let values: (string | number)[] = [];
  for (const [index, { key, value, timestamp, step }] of points.entries()) {
    values.push(key, toStoredValue(value), timestamp, runId, step, toFlag(value));
    const isFull = index >= manyUntil || (index + 1) % rowsPerInsert === 0;
    if (!isFull) continue;
    (index < manyUntil ? insertMany : insertOne).run(...values);
    values = [];
  }
}

/** MLflow's rule: (step, timestamp, stored value) is strictly greater. */
function isLater(point: Metric, than: Metric): boolean {
  if (point.step !== than.step) return point.step > than.step;
  if (point.timestamp !== than.timestamp) return point.timestamp > than.timestamp;
  return toStoredValue(point.value) > toStoredValue(than.value);
}

function toFlag(value: number): 0 | 1 {
  return Number.isNaN(value) ? 1 : 0;
}

/** SQL knows neither NaN (kept as 0 with `is_nan`) nor infinity (the largest number); as MLflow's `sanitize_metric_value`. */
function toStoredValue(value: number): number {
  if (Number.isNaN(value)) return 0;
  return Math.min(Math.max(value, -largestValue), largestValue);
}

/** Points that name a logged model are kept with the model as well. */
function logModelMetrics(
  db: DatabaseSync,
  run: { readonly runId: string; readonly experimentId: string },
  metrics: readonly Metric[],
): void {
  for (const metric of metrics) {
    if (metric.modelId === undefined) continue;
    refuseUnknownModel(db, metric.modelId);
    const { modelId, key, timestamp, step, datasetName = null, datasetDigest = null } = metric;
    const value = toStoredValue(metric.value);
    const insert = prepareCached(db, insertModelMetricSql);
    const point = [modelId, key, timestamp, step, value] as const;
    insert.run(...point, BigInt(run.experimentId), run.runId, datasetName, datasetDigest);
  }
}

function refuseUnknownModel(db: DatabaseSync, modelId: string): void {
  const row = prepareCached(db, "SELECT 1 FROM logged_models WHERE model_id = ?").get(modelId);
  if (row === undefined) throw doesNotExist(`Logged model with ID '${modelId}' not found.`);
}
