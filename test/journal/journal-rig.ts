import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { JournalEntry, MetricTuple } from "../../src/entities/journal-entry.ts";
import type { NewEntry } from "../../src/journal/journal-writer.ts";
import { readEntries } from "../../src/journal/journal-reader.ts";

export const runId = "0123456789abcdef0123456789abcdef";

export interface TemporaryFolder extends Disposable {
  readonly path: string;
}

export function temporaryFolder(): TemporaryFolder {
  const path = mkdtempSync(join(tmpdir(), "track-journal-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

export function batchEntry(metrics: readonly MetricTuple[]): NewEntry {
  return { receivedAt: 1_790_000_000_000, attempt: 1, operation: { op: "log-batch", runId, metrics } };
}

/** An entry of one point, so that entries can be told apart by step. */
export function stepEntry(step: number): NewEntry {
  return batchEntry([["loss", step / 8, 1_790_000_000_000 + step, step]]);
}

export function readAll(folder: string): JournalEntry[] {
  return readEntries(folder)
    .map(({ entry }) => entry)
    .toArray();
}

export function sequencesIn(folder: string): number[] {
  return readAll(folder).map(({ sequence }) => sequence);
}

export function oneTo(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index + 1);
}

/** Polls every few ms; rejects after `timeoutMs`. */
export async function until(condition: () => boolean, timeoutMs = 10_000): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${condition.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** A file system of 1 MiB, or `undefined` where this user may not mount one. */
export function mountSmallDisk(path: string): Disposable | undefined {
  mkdirSync(path, { recursive: true });
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m,mode=0700", "tmpfs", path], { stdio: "pipe" });
  } catch {
    return undefined;
  }
  return { [Symbol.dispose]: () => void execFileSync("umount", ["-l", path]) };
}

/** A small ext4 whose writes hang while it is frozen, or `undefined` where this user may not make one. */
export function mountFreezableDisk(folder: string): (Disposable & { freeze(): void; thaw(): void }) | undefined {
  const path = join(folder, "disk");
  const run = (command: string, ...words: string[]): void => void execFileSync(command, words, { stdio: "pipe" });
  mkdirSync(path);
  try {
    run("truncate", "-s", "16M", `${path}.img`);
    run("mkfs.ext4", "-q", `${path}.img`);
    run("mount", "-o", "loop", `${path}.img`, path);
  } catch {
    return undefined;
  }
  let isFrozen = false;
  const freeze = (): void => {
    // Should this process be killed now, the machine must not be left with a disk that hangs.
    spawn("sh", ["-c", 'sleep 10; fsfreeze -u "$1"', "sh", path], { detached: true, stdio: "ignore" }).unref();
    run("fsfreeze", "-f", path);
    isFrozen = true;
  };
  const thaw = (): void => {
    if (isFrozen) run("fsfreeze", "-u", path);
    isFrozen = false;
  };
  const unmount = (): void => {
    thaw();
    run("umount", "-l", path);
  };
  return { freeze, thaw, [Symbol.dispose]: unmount };
}
