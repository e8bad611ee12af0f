import { statSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { doesNotExist, StoreError } from "../../errors.ts";
import { messageOf } from "../../util/error-code.ts";
import { makeFolders } from "../../util/make-folders.ts";

/** How a database file is opened; `recover` may roll back a dead writer's journal, and is read-only beyond that. */
export type FileAccess = "read" | "write" | "recover";

/** Which file lies at a path now; two files of the same identity are the same file. */
export type FileIdentity = string;

/**
 * Makes sure that `path` can name a database: a regular file or, for `write`, nothing yet (its folders are made).
 * A missing file to be read is `RESOURCE_DOES_NOT_EXIST`, a folder or device a mistake, a refused access the surroundings.
 */
export function prepareDatabasePath(path: string, access: FileAccess): void {
  try {
    const stats = statSync(path, { throwIfNoEntry: false });
    if (stats?.isFile() === true) return;
    if (stats !== undefined) throw notAFile(path, stats.isDirectory() ? "is a folder" : "is not a regular file");
    if (!isFolderOrNothing(dirname(path))) throw notAFile(path, "lies below something that is not a folder");
    if (access !== "write") throw doesNotExist(`no such database: ${path}`);
    makeFolders(dirname(path));
  } catch (error) {
    if (error instanceof StoreError || !hasSystemCode(error)) throw error;
    throw new StoreError("TEMPORARILY_UNAVAILABLE", `cannot reach the database: ${messageOf(error)}`, { cause: error });
  }
}

/** Opens the file with MLflow's session settings; nothing is read from it yet. `waitMs`: how long a call may block on a lock. */
export function openDatabaseFile(path: string, access: FileAccess, waitMs: number): DatabaseSync {
  const db = new DatabaseSync(path, {
    readOnly: access === "read",
    timeout: waitMs,
    enableForeignKeyConstraints: true,
  });
  db.exec("PRAGMA case_sensitive_like = true");
  if (access === "recover") db.exec("PRAGMA query_only = true");
  return db;
}

/** `undefined` while no file is there. */
export function identifyFile(path: string): FileIdentity | undefined {
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats === undefined ? undefined : `${stats.dev}:${stats.ino}`;
}

/** Whether folders up to `path` exist or can be made. */
function isFolderOrNothing(path: string): boolean {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats !== undefined || path === dirname(path)) return stats?.isDirectory() === true;
  return isFolderOrNothing(dirname(path));
}

function notAFile(path: string, what: string): StoreError {
  return new StoreError("INVALID_PARAMETER_VALUE", `not a database: ${path} ${what}`, {
    hint: "name a database of MLflow, or a file that does not exist yet",
  });
}

function hasSystemCode(error: unknown): boolean {
  return error instanceof Error && "syscall" in error;
}
