import type { DatabaseSync } from "node:sqlite";
import { isRunStatus } from "../../entities/run-status.ts";
import type { Run, RunInfo } from "../../entities/run.ts";
import { mlflowTags } from "../../entities/tag-keys.ts";
import type { Tag } from "../../entities/tag.ts";
import { doesNotExist, invalidParameter, StoreError } from "../../errors.ts";
import type { CreateRunRequest, UpdateRunRequest } from "../tracking-store.ts";
import { appendToLocation } from "./artifact-location.ts";
import { getActiveExperiment } from "./experiments.ts";
import { rowToRunInfo, runColumns, toText } from "./rows.ts";
import { hydrateRuns } from "./search-hydrate.ts";
import { prepareCached } from "./statements.ts";

const insertRunSql = `INSERT INTO runs
  (run_uuid, name, source_type, source_name, entry_point_name, user_id, status, start_time, source_version,
   lifecycle_stage, artifact_uri, experiment_id)
  VALUES (?, ?, 'UNKNOWN', '', '', ?, 'RUNNING', ?, '', 'active', ?, ?)`;
const upsertTagSql = `INSERT INTO tags ("key", value, run_uuid) VALUES (?, ?, ?)
  ON CONFLICT("key", run_uuid) DO UPDATE SET value = excluded.value`;

/** The experiment must be active, the id new. The run's name comes from the request or from its tag; both must agree. */
export function createRun(db: DatabaseSync, request: CreateRunRequest & { readonly runId: string }): Run {
  const experiment = getActiveExperiment(db, request.experimentId);
  const name = chooseRunName(request);
  if (readRunInfo(db, request.runId) !== undefined) {
    throw new StoreError("RESOURCE_ALREADY_EXISTS", `Run with id=${request.runId} already exists`);
  }
  const artifactUri = appendToLocation(experiment.artifactLocation, request.runId, "artifacts");
  const { runId, userId, startTime, experimentId } = request;
  prepareCached(db, insertRunSql).run(runId, name, userId, startTime, artifactUri, BigInt(experimentId));
  for (const tag of [...request.tags, { key: mlflowTags.runName, value: name }]) upsertTag(db, runId, tag);
  return getRun(db, runId);
}

export function getRun(db: DatabaseSync, runId: string): Run {
  const [run] = hydrateRuns(db, [getRunInfo(db, runId)]);
  if (run === undefined) throw noRun(runId);
  return run;
}

/** Any lifecycle stage; unknown, also a malformed id: `RESOURCE_DOES_NOT_EXIST`. */
export function getRunInfo(db: DatabaseSync, runId: string): RunInfo {
  const info = readRunInfo(db, runId);
  if (info === undefined) throw noRun(runId);
  return info;
}

/** Every write to a run asks for this; the status is never checked. */
export function getActiveRunInfo(db: DatabaseSync, runId: string): RunInfo {
  const info = getRunInfo(db, runId);
  if (info.lifecycleStage !== "active") {
    throw invalidParameter(`The run ${runId} must be in the 'active' state. Current state is ${info.lifecycleStage}.`);
  }
  return info;
}

export function findRunIds(db: DatabaseSync, prefix: string, limit: number): readonly string[] {
  // A range instead of LIKE: it uses the key's index and needs no escaping. Nothing sorts after U+10FFFF.
  const sql = "SELECT run_uuid FROM runs WHERE run_uuid >= ? AND run_uuid < ? ORDER BY run_uuid LIMIT ?";
  const rows = prepareCached(db, sql).all(prefix, `${prefix}\u{10ffff}`, limit);
  return rows.map((row) => toText(row["run_uuid"]));
}

/** Only present fields change; an empty name is ignored, as MLflow does. */
export function updateRun(db: DatabaseSync, runId: string, request: UpdateRunRequest): RunInfo {
  getActiveRunInfo(db, runId);
  const { status, endTime, runName = "" } = request;
  if (status !== undefined) {
    if (!isRunStatus(status)) throw invalidParameter(`Invalid run status: ${String(status)}`);
    prepareCached(db, "UPDATE runs SET status = ? WHERE run_uuid = ?").run(status, runId);
  }
  if (endTime !== undefined) prepareCached(db, "UPDATE runs SET end_time = ? WHERE run_uuid = ?").run(endTime, runId);
  if (runName !== "") setRunTag(db, runId, { key: mlflowTags.runName, value: runName });
  return getRunInfo(db, runId);
}

/** Puts a run into another experiment; its artifacts stay where they lie. */
export function moveRun(db: DatabaseSync, runId: string, experimentId: string): void {
  getActiveRunInfo(db, runId);
  getActiveExperiment(db, experimentId);
  prepareCached(db, "UPDATE runs SET experiment_id = ? WHERE run_uuid = ?").run(BigInt(experimentId), runId);
}

/** Deleting twice is fine; the time of the last one counts for `mlflow gc`. */
export function deleteRun(db: DatabaseSync, runId: string): void {
  getRunInfo(db, runId);
  const sql = "UPDATE runs SET lifecycle_stage = 'deleted', deleted_time = ? WHERE run_uuid = ?";
  prepareCached(db, sql).run(Date.now(), runId);
}

export function restoreRun(db: DatabaseSync, runId: string): void {
  getRunInfo(db, runId);
  const sql = "UPDATE runs SET lifecycle_stage = 'active', deleted_time = NULL WHERE run_uuid = ?";
  prepareCached(db, sql).run(runId);
}

/** Sets a tag; the tag of the run's name renames the run. An empty name is ignored, as MLflow does. */
export function setRunTag(db: DatabaseSync, runId: string, tag: Tag): void {
  if (tag.key === mlflowTags.runName) {
    if (tag.value === "") return;
    prepareCached(db, "UPDATE runs SET name = ? WHERE run_uuid = ?").run(tag.value, runId);
  }
  upsertTag(db, runId, tag);
}

export function deleteRunTag(db: DatabaseSync, runId: string, key: string): void {
  getActiveRunInfo(db, runId);
  const { changes } = prepareCached(db, 'DELETE FROM tags WHERE "key" = ? AND run_uuid = ?').run(key, runId);
  if (Number(changes) === 0) throw doesNotExist(`No tag with name: ${key} in run with id ${runId}`);
}

function upsertTag(db: DatabaseSync, runId: string, tag: Tag): void {
  prepareCached(db, upsertTagSql).run(tag.key, tag.value, runId);
}

function readRunInfo(db: DatabaseSync, runId: string): RunInfo | undefined {
  const row = prepareCached(db, `SELECT ${runColumns} FROM runs r WHERE r.run_uuid = ?`).get(runId);
  return row === undefined ? undefined : rowToRunInfo(row);
}

function chooseRunName(request: CreateRunRequest): string {
  const tagName = request.tags.findLast((tag) => tag.key === mlflowTags.runName)?.value ?? "";
  const { runName } = request;
  if (runName !== "" && tagName !== "" && runName !== tagName) {
    throw invalidParameter(
      "Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different values " +
        `(run_name='${runName}', mlflow.runName='${tagName}').`,
    );
  }
  const name = runName === "" ? tagName : runName;
  if (name === "") throw invalidParameter("A run needs a name");
  return name;
}

function noRun(runId: string): StoreError {
  return doesNotExist(`Run with id=${runId} not found`);
}
