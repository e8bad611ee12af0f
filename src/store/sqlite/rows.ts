import type { DatabaseSync, SQLOutputValue } from "node:sqlite";
import type { Dataset } from "../../entities/dataset.ts";
import type { Experiment } from "../../entities/experiment.ts";
import type { LifecycleStage } from "../../entities/lifecycle-stage.ts";
import type { Metric } from "../../entities/metric.ts";
import type { Param } from "../../entities/param.ts";
import type { RunStatus } from "../../entities/run-status.ts";
import type { RunInfo } from "../../entities/run.ts";
import type { Tag } from "../../entities/tag.ts";

/** A row as `node:sqlite` gives it, by column name. */
export type SqlRow = Readonly<Record<string, SQLOutputValue>>;

/**
 * Select lists that fit the readers below, for the aliases `r` (runs), `e` (experiments), `m` (metrics, latest_metrics).
 * The casts matter: `node:sqlite` throws on an integer beyond 2^53, such as the 18-digit experiment ids of a migrated file store.
 */
export const runColumns = `r.run_uuid, r.name, r.user_id, r.status, CAST(r.start_time AS REAL) AS start_time,
  CAST(r.end_time AS REAL) AS end_time, r.lifecycle_stage, r.artifact_uri, CAST(r.experiment_id AS TEXT) AS experiment_id`;
export const experimentColumns = `CAST(e.experiment_id AS TEXT) AS experiment_id, e.name, e.artifact_location, e.lifecycle_stage,
  CAST(e.creation_time AS REAL) AS creation_time, CAST(e.last_update_time AS REAL) AS last_update_time`;
export const metricColumns = `m."key", m.value, CAST(m.timestamp AS REAL) AS timestamp, CAST(m.step AS REAL) AS step, m.is_nan`;

/** Reads a row of `runColumns`. A name that is only in the tag (MLflow 1.x) is the caller's to fill in. */
export function rowToRunInfo(row: SqlRow): RunInfo {
  const endTime = toNumber(row["end_time"]);
  return {
    runId: toText(row["run_uuid"]),
    runName: toText(row["name"]),
    experimentId: toText(row["experiment_id"]),
    userId: toText(row["user_id"]),
    status: toText(row["status"]) as RunStatus,
    startTime: toNumber(row["start_time"]),
    ...(endTime !== 0 && { endTime }),
    lifecycleStage: toText(row["lifecycle_stage"]) as LifecycleStage,
    artifactUri: toText(row["artifact_uri"]),
  };
}

/** Reads a row of `metricColumns`; `is_nan` makes the stored 0 a NaN again. */
export function rowToMetric(row: SqlRow): Metric {
  return {
    key: toText(row["key"]),
    value: row["is_nan"] === 1 ? Number.NaN : toNumber(row["value"]),
    timestamp: toNumber(row["timestamp"]),
    step: toNumber(row["step"]),
  };
}

/** Reads a row of `experimentColumns`. */
export function rowToExperiment(row: SqlRow, tags: readonly Tag[]): Experiment {
  const creationTime = row["creation_time"];
  const lastUpdateTime = row["last_update_time"];
  return {
    experimentId: toText(row["experiment_id"]),
    name: toText(row["name"]),
    artifactLocation: toText(row["artifact_location"]),
    lifecycleStage: toText(row["lifecycle_stage"]) as LifecycleStage,
    ...(typeof creationTime === "number" && { creationTime }),
    ...(typeof lastUpdateTime === "number" && { lastUpdateTime }),
    tags,
  };
}

/** Reads `key` and `value`, as params and tags both have them. */
export function rowToPair(row: SqlRow): Param & Tag {
  return { key: toText(row["key"]), value: toText(row["value"]) };
}

/** Reads a row of `datasets`. */
export function rowToDataset(row: SqlRow): Dataset {
  const schema = row["dataset_schema"];
  const profile = row["dataset_profile"];
  return {
    name: toText(row["name"]),
    digest: toText(row["digest"]),
    sourceType: toText(row["dataset_source_type"]),
    source: toText(row["dataset_source"]),
    ...(typeof schema === "string" && { schema }),
    ...(typeof profile === "string" && { profile }),
  };
}

/** The tags of one experiment, sorted by key. */
export function readExperimentTags(db: DatabaseSync, experimentId: string): readonly Tag[] {
  const sql = 'SELECT "key", value FROM experiment_tags WHERE experiment_id = ? ORDER BY "key"';
  return db.prepare(sql).all(BigInt(experimentId)).map(rowToPair);
}

/** A column as text; NULL is the empty string. */
export function toText(value: SQLOutputValue | undefined): string {
  return typeof value === "string" ? value : value === null || value === undefined ? "" : String(value);
}

/** A column as a number; NULL is 0. */
export function toNumber(value: SQLOutputValue | undefined): number {
  return typeof value === "number" ? value : Number(value ?? 0);
}
