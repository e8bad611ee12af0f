import type { DatabaseSync } from "node:sqlite";
import type { RegisteredModel, RegisteredModelAlias } from "../../entities/registered-model.ts";
import type { Tag } from "../../entities/tag.ts";
import { doesNotExist, StoreError } from "../../errors.ts";
import type { CreateRegisteredModelRequest } from "../registry-store.ts";
import { readLatestVersions } from "./model-versions.ts";
import { rowToPair, type SqlRow, toNumber, toText } from "./rows.ts";
import { prepareCached } from "./statements.ts";

// From MLflow 3.10 on, the tables have a column `workspace` with a default, which is also part of every key: so there is no
// ON CONFLICT over named columns that fits all revisions.

export const registeredModelColumns = `m.name, m.description, CAST(m.creation_time AS REAL) AS creation_time,
  CAST(m.last_updated_time AS REAL) AS updated_time`;

export function createRegisteredModel(db: DatabaseSync, request: CreateRegisteredModelRequest): RegisteredModel {
  const { name, description = null, tags = [] } = request;
  refuseTakenName(db, name);
  const now = Date.now();
  const sql = "INSERT INTO registered_models (name, creation_time, last_updated_time, description) VALUES (?, ?, ?, ?)";
  prepareCached(db, sql).run(name, now, now, description);
  for (const tag of tags) setRegisteredModelTag(db, name, tag);
  return getRegisteredModel(db, name);
}

export function getRegisteredModel(db: DatabaseSync, name: string): RegisteredModel {
  return rowToRegisteredModel(db, getRow(db, name));
}

/** Reads a row of `registeredModelColumns`. */
export function rowToRegisteredModel(db: DatabaseSync, row: SqlRow): RegisteredModel {
  const name = toText(row["name"]);
  const tagSql = 'SELECT "key", value FROM registered_model_tags WHERE name = ? ORDER BY "key"';
  return {
    name,
    creationTimestamp: toNumber(row["creation_time"]),
    ...(typeof row["updated_time"] === "number" && { lastUpdatedTimestamp: row["updated_time"] }),
    ...(typeof row["description"] === "string" && { description: row["description"] }),
    latestVersions: readLatestVersions(db, name),
    tags: prepareCached(db, tagSql).all(name).map(rowToPair),
    aliases: readAliases(db, name),
  };
}

export function updateRegisteredModel(
  db: DatabaseSync,
  name: string,
  description: string | undefined,
): RegisteredModel {
  getRow(db, name);
  const sql = "UPDATE registered_models SET description = ?, last_updated_time = ? WHERE name = ?";
  prepareCached(db, sql).run(description ?? null, Date.now(), name);
  return getRegisteredModel(db, name);
}

/** What belongs to the model is renamed with it: the foreign keys cascade. */
export function renameRegisteredModel(db: DatabaseSync, name: string, newName: string): RegisteredModel {
  getRow(db, name);
  if (newName !== name) refuseTakenName(db, newName);
  const now = Date.now();
  prepareCached(db, "UPDATE registered_models SET name = ?, last_updated_time = ? WHERE name = ?").run(
    newName,
    now,
    name,
  );
  prepareCached(db, "UPDATE model_versions SET last_updated_time = ? WHERE name = ?").run(now, newName);
  return getRegisteredModel(db, newName);
}

export function deleteRegisteredModel(db: DatabaseSync, name: string): void {
  getRow(db, name);
  for (const table of [
    "registered_model_aliases",
    "model_version_tags",
    "model_versions",
    "registered_model_tags",
    "registered_models",
  ]) {
    prepareCached(db, `DELETE FROM ${table} WHERE name = ?`).run(name);
  }
}

export function setRegisteredModelTag(db: DatabaseSync, name: string, tag: Tag): void {
  getRow(db, name);
  const update = prepareCached(db, 'UPDATE registered_model_tags SET value = ? WHERE name = ? AND "key" = ?');
  if (Number(update.run(tag.value, name, tag.key).changes) > 0) return;
  const insertSql = 'INSERT INTO registered_model_tags (value, name, "key") VALUES (?, ?, ?)';
  prepareCached(db, insertSql).run(tag.value, name, tag.key);
}

export function deleteRegisteredModelTag(db: DatabaseSync, name: string, key: string): void {
  getRow(db, name);
  prepareCached(db, 'DELETE FROM registered_model_tags WHERE name = ? AND "key" = ?').run(name, key);
}

/** The version must be there, which the caller has looked up. */
export function setAlias(db: DatabaseSync, name: string, { alias, version }: RegisteredModelAlias): void {
  const update = prepareCached(db, "UPDATE registered_model_aliases SET version = ? WHERE name = ? AND alias = ?");
  if (Number(update.run(version, name, alias).changes) > 0) return;
  const insertSql = "INSERT INTO registered_model_aliases (version, name, alias) VALUES (?, ?, ?)";
  prepareCached(db, insertSql).run(version, name, alias);
}

export function deleteAlias(db: DatabaseSync, name: string, alias: string): void {
  getRow(db, name);
  prepareCached(db, "DELETE FROM registered_model_aliases WHERE name = ? AND alias = ?").run(name, alias);
}

/** Throws `RESOURCE_DOES_NOT_EXIST` unless there is a model of that name. */
export function requireRegisteredModel(db: DatabaseSync, name: string): void {
  getRow(db, name);
}

export function readAliases(db: DatabaseSync, name: string): readonly RegisteredModelAlias[] {
  const sql = "SELECT alias, version FROM registered_model_aliases WHERE name = ? ORDER BY alias";
  return prepareCached(db, sql)
    .all(name)
    .map((row) => ({ alias: toText(row["alias"]), version: toNumber(row["version"]) }));
}

function getRow(db: DatabaseSync, name: string): SqlRow {
  const row = readRow(db, name);
  if (row === undefined) throw doesNotExist(`Registered Model with name=${name} not found`);
  return row;
}

function readRow(db: DatabaseSync, name: string): SqlRow | undefined {
  return prepareCached(db, `SELECT ${registeredModelColumns} FROM registered_models m WHERE m.name = ?`).get(name);
}

function refuseTakenName(db: DatabaseSync, name: string): void {
  if (readRow(db, name) === undefined) return;
  throw new StoreError("RESOURCE_ALREADY_EXISTS", `Registered Model (name=${name}) already exists.`);
}
