import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync, type SQLOutputValue } from "node:sqlite";
import { text } from "node:stream/consumers";
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

export interface ProgramResult {
  readonly experimentId?: string;
  readonly errorCode?: string;
  readonly message?: string;
}

/**
 * Runs programs/use-store.ts in a process of its own. `uid` lets root be someone else; `fileBlocks` is the largest file
 * that the process may write, in blocks of 512 bytes: beyond it the disk refuses.
 */
export async function useStoreInProcess(
  args: readonly string[],
  { fileBlocks, ...options }: { readonly uid?: number; readonly fileBlocks?: number } = {},
): Promise<ProgramResult> {
  const limit = fileBlocks === undefined ? "" : `ulimit -f ${fileBlocks}; `;
  const command = ["-c", `${limit}exec "$0" "$@"`, process.execPath, program("use-store"), ...args];
  const child = spawn("sh", command, { stdio: ["ignore", "pipe", "inherit"], ...options });
  return JSON.parse(await text(child.stdout)) as ProgramResult;
}

/** Another process that holds the database until `release`; resolves once it does. */
export async function holdDatabase(path: string, how: "lock" | "read"): Promise<{ release: () => Promise<void> }> {
  const child = spawn(process.execPath, [program("hold-database"), path, how], { stdio: ["pipe", "pipe", "inherit"] });
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  await once(child.stdout, "data");
  return {
    async release() {
      const exit = once(child, "exit");
      child.stdin.end();
      await exit;
    },
  };
}

/** Leaves the file as a writer does that was killed in the middle of a transaction. */
export async function crashWriter(path: string): Promise<void> {
  const child = spawn(process.execPath, [program("hold-database"), path, "die"], { stdio: "inherit" });
  await once(child, "exit");
}

function program(name: string): string {
  return join(import.meta.dirname, `programs/${name}.ts`);
}
