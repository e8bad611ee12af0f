import type { DatabaseSync } from "node:sqlite";
import { type ModelVersion, type ModelVersionStage, modelVersionStages } from "../../entities/registered-model.ts";
import type { Tag } from "../../entities/tag.ts";
import { doesNotExist, StoreError } from "../../errors.ts";
import type { CreateModelVersionRequest, TransitionStageRequest } from "../registry-store.ts";
import { rowToPair, type SqlRow, toNumber, toText } from "./rows.ts";
import { prepareCached } from "./statements.ts";

/** A deleted version keeps its row under this stage, so that its number is never given again. */
export const deletedStage = "Deleted_Internal";

export const modelVersionColumns = `v.name, v.version, CAST(v.creation_time AS REAL) AS creation_time,
  CAST(v.last_updated_time AS REAL) AS updated_time, v.description, v.user_id, v.current_stage, v.source, v.run_id, v.run_link,
  v.status, v.status_message, v.storage_location`;

const insertSql = `INSERT INTO model_versions
  (name, version, creation_time, last_updated_time, description, user_id, current_stage, source, storage_location, run_id,
   run_link, status)
  VALUES (?, ?, ?, ?, ?, NULL, 'None', ?, ?, ?, ?, 'READY')`;

/** Where the files lie, and the run that made them; the caller has looked up the model. */
export interface ResolvedSource {
  readonly location: string;
  readonly runId?: string;
}

export function createModelVersion(
  db: DatabaseSync,
  request: CreateModelVersionRequest,
  resolved: ResolvedSource,
): ModelVersion {
  const { name, source, description = null, runLink = null, tags = [] } = request;
  const highest = prepareCached(db, "SELECT max(version) AS version FROM model_versions WHERE name = ?").get(name);
  const version = toNumber(highest?.["version"]) + 1;
  const now = Date.now();
  const made = [resolved.location, resolved.runId ?? "", runLink] as const;
  prepareCached(db, insertSql).run(name, version, now, now, description, source, ...made);
  touchModel(db, name, now);
  for (const tag of tags) setModelVersionTag(db, name, version, tag);
  return getModelVersion(db, name, version);
}

export function getModelVersion(db: DatabaseSync, name: string, version: number): ModelVersion {
  return rowToModelVersion(db, getRow(db, name, version), true);
}

/** Reads a row of `modelVersionColumns`. */
export function rowToModelVersion(db: DatabaseSync, row: SqlRow, withAliases: boolean): ModelVersion {
  const [name, version] = [toText(row["name"]), toNumber(row["version"])];
  const tagSql = 'SELECT "key", value FROM model_version_tags WHERE name = ? AND version = ? ORDER BY "key"';
  const aliasSql = "SELECT alias FROM registered_model_aliases WHERE name = ? AND version = ? ORDER BY alias";
  const aliases = withAliases ? prepareCached(db, aliasSql).all(name, version) : [];
  return {
    name,
    version,
    creationTimestamp: toNumber(row["creation_time"]),
    ...(typeof row["updated_time"] === "number" && { lastUpdatedTimestamp: row["updated_time"] }),
    ...(typeof row["description"] === "string" && { description: row["description"] }),
    ...(typeof row["user_id"] === "string" && { userId: row["user_id"] }),
    currentStage: toText(row["current_stage"]) as ModelVersionStage,
    source: toText(row["source"]),
    ...(typeof row["run_id"] === "string" && { runId: row["run_id"] }),
    ...(typeof row["run_link"] === "string" && { runLink: row["run_link"] }),
    status: toText(row["status"]),
    ...(typeof row["status_message"] === "string" && { statusMessage: row["status_message"] }),
    tags: prepareCached(db, tagSql).all(name, version).map(rowToPair),
    aliases: aliases.map((alias) => toText(alias["alias"])),
  };
}

/** The newest version of each stage, by number. */
export function readLatestVersions(db: DatabaseSync, name: string): readonly ModelVersion[] {
  const sql = `SELECT ${modelVersionColumns} FROM model_versions v
    WHERE v.name = ? AND v.current_stage IN ('${modelVersionStages.join("', '")}')
      AND v.version = (SELECT max(o.version) FROM model_versions o WHERE o.name = v.name AND o.current_stage = v.current_stage)
    ORDER BY v.version`;
  return prepareCached(db, sql)
    .all(name)
    .map((row) => rowToModelVersion(db, row, false));
}

export function updateModelVersion(
  db: DatabaseSync,
  name: string,
  version: number,
  description: string | undefined,
): ModelVersion {
  getRow(db, name, version);
  const sql = "UPDATE model_versions SET description = ?, last_updated_time = ? WHERE name = ? AND version = ?";
  prepareCached(db, sql).run(description ?? null, Date.now(), name, version);
  return getModelVersion(db, name, version);
}

export function transitionStage(
  db: DatabaseSync,
  name: string,
  version: number,
  { stage, archiveExisting = false }: TransitionStageRequest,
): ModelVersion {
  if (archiveExisting && stage !== "Staging" && stage !== "Production") {
    const rule = `because '${stage}' is not an Active stage. Valid stages are ['Staging', 'Production']`;
    throw new StoreError("INTERNAL_ERROR", `Model version transition cannot archive existing model versions ${rule}`);
  }
  getRow(db, name, version);
  const now = Date.now();
  if (archiveExisting) {
    const sql = `UPDATE model_versions SET current_stage = 'Archived', last_updated_time = ?
      WHERE name = ? AND version != ? AND current_stage = ?`;
    prepareCached(db, sql).run(now, name, version, stage);
  }
  const sql = "UPDATE model_versions SET current_stage = ?, last_updated_time = ? WHERE name = ? AND version = ?";
  prepareCached(db, sql).run(stage, now, name, version);
  touchModel(db, name, now);
  return getModelVersion(db, name, version);
}

export function deleteModelVersion(db: DatabaseSync, name: string, version: number): void {
  getRow(db, name, version);
  const now = Date.now();
  prepareCached(db, "DELETE FROM registered_model_aliases WHERE name = ? AND version = ?").run(name, version);
  const sql = `UPDATE model_versions SET current_stage = '${deletedStage}', last_updated_time = ?, description = NULL,
    user_id = NULL, source = 'REDACTED-SOURCE-PATH', run_id = 'REDACTED-RUN-ID', run_link = 'REDACTED-RUN-LINK',
    status_message = NULL WHERE name = ? AND version = ?`;
  prepareCached(db, sql).run(now, name, version);
  touchModel(db, name, now);
}

export function setModelVersionTag(db: DatabaseSync, name: string, version: number, tag: Tag): void {
  getRow(db, name, version);
  const where = 'name = ? AND version = ? AND "key" = ?';
  const update = prepareCached(db, `UPDATE model_version_tags SET value = ? WHERE ${where}`);
  if (Number(update.run(tag.value, name, version, tag.key).changes) > 0) return;
  const insert = 'INSERT INTO model_version_tags (value, name, version, "key") VALUES (?, ?, ?, ?)';
  prepareCached(db, insert).run(tag.value, name, version, tag.key);
}

export function deleteModelVersionTag(db: DatabaseSync, name: string, version: number, key: string): void {
  getRow(db, name, version);
  const sql = 'DELETE FROM model_version_tags WHERE name = ? AND version = ? AND "key" = ?';
  prepareCached(db, sql).run(name, version, key);
}

export function getDownloadUri(db: DatabaseSync, name: string, version: number): string {
  const row = getRow(db, name, version);
  const location = toText(row["storage_location"]);
  return location === "" ? toText(row["source"]) : location;
}

/** Throws `RESOURCE_DOES_NOT_EXIST` unless there is such a version. */
export function requireModelVersion(db: DatabaseSync, name: string, version: number): void {
  getRow(db, name, version);
}

function getRow(db: DatabaseSync, name: string, version: number): SqlRow {
  const sql = `SELECT ${modelVersionColumns} FROM model_versions v
    WHERE v.name = ? AND v.version = ? AND v.current_stage != '${deletedStage}'`;
  const row = prepareCached(db, sql).get(name, version);
  if (row === undefined) throw doesNotExist(`Model Version (name=${name}, version=${version}) not found`);
  return row;
}

function touchModel(db: DatabaseSync, name: string, now: number): void {
  prepareCached(db, "UPDATE registered_models SET last_updated_time = ? WHERE name = ?").run(now, name);
}
