import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync, type SQLOutputValue } from "node:sqlite";
import { onTestFinished } from "vitest";

/** A new empty folder. */
export function makeFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), "track-sqlite-"));
}

/** A new empty folder that goes away with the test. */
export async function makeTestFolder(): Promise<string> {
  const folder = await makeFolder();
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Rows of a query, read past the store. */
export function queryFile(path: string, sql: string): Record<string, SQLOutputValue>[] {
  const db = new DatabaseSync(path, { readOnly: true });
  try {
    return db
      .prepare(sql)
      .all()
      .map((row) => ({ ...row }));
  } finally {
    db.close();
  }
}

/** Changes a file past the store. */
export function changeFile(path: string, sql: string): void {
  const db = new DatabaseSync(path);
  try {
    db.exec(sql);
  } finally {
    db.close();
  }
}
