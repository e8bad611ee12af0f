import type { DatabaseSync } from "node:sqlite";
import type { Experiment } from "../../entities/experiment.ts";
import type { Tag } from "../../entities/tag.ts";
import { checkExperimentId } from "../../entities/validation.ts";
import { doesNotExist, invalidParameter, StoreError } from "../../errors.ts";
import type { CreateExperimentRequest } from "../tracking-store.ts";
import { appendToLocation, findArtifactRoot } from "./artifact-location.ts";
import { experimentColumns, readExperimentTags, rowToExperiment } from "./rows.ts";
import { prepareCached } from "./statements.ts";

const upsertTagSql = `INSERT INTO experiment_tags ("key", value, experiment_id) VALUES (?, ?, ?)
  ON CONFLICT("key", experiment_id) DO UPDATE SET value = excluded.value`;

/** Inserts the row first and gives it its artifact location afterwards, since that holds the new id. */
export function createExperiment(db: DatabaseSync, request: CreateExperimentRequest, artifactRoot: string): string {
  refuseTakenName(db, request.name);
  const now = Date.now();
  const insertSql = `INSERT INTO experiments (name, artifact_location, lifecycle_stage, creation_time, last_update_time)
    VALUES (?, ?, 'active', ?, ?) RETURNING CAST(experiment_id AS TEXT) AS experiment_id`;
  const given = request.artifactLocation ?? "";
  const row = prepareCached(db, insertSql).get(request.name, given === "" ? null : given, now, now);
  const experimentId = String(row?.["experiment_id"]);
  if (given === "") {
    const location = appendToLocation(findArtifactRoot(db, artifactRoot), experimentId);
    const updateSql = "UPDATE experiments SET artifact_location = ? WHERE experiment_id = ?";
    prepareCached(db, updateSql).run(location, BigInt(experimentId));
  }
  for (const tag of request.tags ?? []) upsertTag(db, experimentId, tag);
  return experimentId;
}

/** Any lifecycle stage; unknown: `RESOURCE_DOES_NOT_EXIST`. */
export function getExperiment(db: DatabaseSync, experimentId: string): Experiment {
  checkExperimentId(experimentId);
  const sql = `SELECT ${experimentColumns} FROM experiments e WHERE e.experiment_id = ?`;
  const row = prepareCached(db, sql).get(BigInt(experimentId));
  if (row === undefined) throw noExperiment(experimentId);
  return rowToExperiment(row, readExperimentTags(db, experimentId));
}

export function getExperimentByName(db: DatabaseSync, name: string): Experiment | undefined {
  const sql = `SELECT ${experimentColumns} FROM experiments e WHERE e.name = ?`;
  const row = prepareCached(db, sql).get(name);
  return row === undefined ? undefined : rowToExperiment(row, readExperimentTags(db, String(row["experiment_id"])));
}

/** Throws `INVALID_PARAMETER_VALUE` for a deleted experiment, as MLflow does before a run or model is created in it. */
export function getActiveExperiment(db: DatabaseSync, experimentId: string): Experiment {
  const experiment = getExperiment(db, experimentId);
  if (experiment.lifecycleStage !== "active") {
    throw invalidParameter(
      `The experiment ${experimentId} must be in the 'active' state. Current state is ${experiment.lifecycleStage}.`,
    );
  }
  return experiment;
}

export function renameExperiment(db: DatabaseSync, experimentId: string, name: string): void {
  const experiment = getExperiment(db, experimentId);
  if (experiment.lifecycleStage !== "active") {
    throw new StoreError("INVALID_STATE", "Cannot rename a non-active experiment.");
  }
  if (experiment.name !== name) refuseTakenName(db, name);
  const sql = "UPDATE experiments SET name = ?, last_update_time = ? WHERE experiment_id = ?";
  prepareCached(db, sql).run(name, Date.now(), BigInt(experimentId));
}

/** All runs go with their experiment, those deleted before included; MLflow takes an already deleted experiment for unknown. */
export function deleteExperiment(db: DatabaseSync, experimentId: string): void {
  if (getExperiment(db, experimentId).lifecycleStage !== "active") throw noExperiment(experimentId);
  const now = Date.now();
  setStage(db, experimentId, "deleted", now);
  const sql = "UPDATE runs SET lifecycle_stage = 'deleted', deleted_time = ? WHERE experiment_id = ?";
  prepareCached(db, sql).run(now, BigInt(experimentId));
}

/** All runs come back with their experiment, also those that were deleted one by one. */
export function restoreExperiment(db: DatabaseSync, experimentId: string): void {
  if (getExperiment(db, experimentId).lifecycleStage !== "deleted") throw noExperiment(experimentId);
  setStage(db, experimentId, "active", Date.now());
  const sql = "UPDATE runs SET lifecycle_stage = 'active', deleted_time = NULL WHERE experiment_id = ?";
  prepareCached(db, sql).run(BigInt(experimentId));
}

export function setExperimentTag(db: DatabaseSync, experimentId: string, tag: Tag): void {
  getActiveExperiment(db, experimentId);
  upsertTag(db, experimentId, tag);
}

export function deleteExperimentTag(db: DatabaseSync, experimentId: string, key: string): void {
  getActiveExperiment(db, experimentId);
  const sql = 'DELETE FROM experiment_tags WHERE "key" = ? AND experiment_id = ?';
  const { changes } = prepareCached(db, sql).run(key, BigInt(experimentId));
  if (Number(changes) === 0) throw doesNotExist(`No tag with name: ${key} in experiment with id ${experimentId}`);
}

function upsertTag(db: DatabaseSync, experimentId: string, tag: Tag): void {
  prepareCached(db, upsertTagSql).run(tag.key, tag.value, BigInt(experimentId));
}

function setStage(db: DatabaseSync, experimentId: string, stage: "active" | "deleted", now: number): void {
  const sql = "UPDATE experiments SET lifecycle_stage = ?, last_update_time = ? WHERE experiment_id = ?";
  prepareCached(db, sql).run(stage, now, BigInt(experimentId));
}

function refuseTakenName(db: DatabaseSync, name: string): void {
  const existing = getExperimentByName(db, name);
  if (existing === undefined) return;
  const deleted = existing.lifecycleStage === "deleted";
  throw new StoreError("RESOURCE_ALREADY_EXISTS", `Experiment(name=${name}) already exists.`, {
    ...(deleted && {
      hint: `experiment ${existing.experimentId} of that name is deleted: restore it, or take another name`,
    }),
  });
}

function noExperiment(experimentId: string): StoreError {
  return doesNotExist(`No Experiment with id=${experimentId} exists`);
}
