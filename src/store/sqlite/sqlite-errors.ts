import { StoreError } from "../../errors.ts";
import { messageOf } from "../../util/error-code.ts";

/** Primary result codes of SQLite (https://sqlite.org/rescode.html). */
export const sqliteCodes = {
  error: 1,
  permission: 3,
  busy: 5,
  locked: 6,
  noMemory: 7,
  readOnly: 8,
  ioError: 10,
  corrupt: 11,
  full: 13,
  cannotOpen: 14,
  protocol: 15,
  schema: 17,
  tooBig: 18,
  notADatabase: 26,
} as const;

/** Extended codes of a reader that finds a crashed writer's journal and may not roll it back. */
const needsRecovery = new Set([264, 776]);

const surroundings: Readonly<Record<number, string>> = {
  [sqliteCodes.permission]: "access to the database was refused",
  [sqliteCodes.busy]: "the database is locked by another process",
  [sqliteCodes.locked]: "the database is locked",
  [sqliteCodes.noMemory]: "no memory for the database",
  [sqliteCodes.readOnly]: "the database is read-only",
  [sqliteCodes.ioError]: "the disk failed to read or write the database",
  [sqliteCodes.corrupt]: "the database is corrupt",
  [sqliteCodes.full]: "the disk is full",
  [sqliteCodes.cannotOpen]: "the database cannot be opened",
  [sqliteCodes.protocol]: "the database is locked by another process",
  [sqliteCodes.schema]: "the database is being changed by another process",
};

/** The primary result code of an error of `node:sqlite`, or `undefined` for any other error. */
export function primaryCode(error: unknown): number | undefined {
  const code = extendedCode(error);
  return code === undefined ? undefined : code & 0xff;
}

/** True while another connection holds a lock, so that trying again soon is right. */
export function isBusy(error: unknown): boolean {
  const code = primaryCode(error);
  return code === sqliteCodes.busy || code === sqliteCodes.protocol;
}

/** True when a read-only connection met the journal of a writer that died, which only a writer may roll back. */
export function isRecoveryNeeded(error: unknown): boolean {
  const code = extendedCode(error);
  return code !== undefined && needsRecovery.has(code);
}

/**
 * An error of SQLite as a `StoreError` that names the database: surroundings are `TEMPORARILY_UNAVAILABLE`, a file that is
 * no database is a mistake. Anything else comes back as it is.
 */
export function toStoreError(error: unknown, path: string): unknown {
  const code = primaryCode(error);
  if (code === undefined) return error;
  const fault = surroundings[code] ?? (isSchemaChanging(error, code) ? surroundings[sqliteCodes.schema] : undefined);
  if (fault !== undefined) {
    return new StoreError("TEMPORARILY_UNAVAILABLE", `${fault}: ${path}`, { cause: error });
  }
  if (code === sqliteCodes.notADatabase) return notADatabase(path, error);
  if (code === sqliteCodes.tooBig) {
    return new StoreError("INVALID_PARAMETER_VALUE", `a value is too big for SQLite: ${path}`, { cause: error });
  }
  return new StoreError("INTERNAL_ERROR", `SQLite: ${messageOf(error)}: ${path}`, { cause: error });
}

function notADatabase(path: string, cause: unknown): StoreError {
  return new StoreError("INVALID_PARAMETER_VALUE", `not a SQLite database: ${path}`, {
    hint: "name a database of MLflow, or a file that does not exist yet",
    cause,
  });
}

/** The tables were checked at opening, so one that is missing now is being rebuilt by a migration. */
function isSchemaChanging(error: unknown, code: number): boolean {
  return code === sqliteCodes.error && /no such (?:table|column)|has no column/u.test(messageOf(error));
}

function extendedCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("errcode" in error)) return undefined;
  return typeof error.errcode === "number" ? error.errcode : undefined;
}
