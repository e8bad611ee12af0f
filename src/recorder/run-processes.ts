import { readdirSync, readFileSync } from "node:fs";
import { hasCode } from "../util/error-code.ts";
import { isProcessAlive, readStartTicks } from "../util/proc.ts";
import type { ProcessIdentity } from "../wire/journal-header.ts";

/** Processes that carry this run's `TRACK_RUN_ID`, but for `except`: what the command left running. Empty without /proc. */
export function findRunProcesses(runId: string, except: ReadonlySet<number>): readonly ProcessIdentity[] {
  const found: ProcessIdentity[] = [];
  const wanted = Buffer.from(`\0TRACK_RUN_ID=${runId}\0`);
  for (const pid of listPids()) {
    if (except.has(pid) || !carries(pid, wanted)) continue;
    const startTicks = readStartTicks(pid);
    if (startTicks !== undefined && isProcessAlive({ pid, startTicks })) found.push({ pid, startTicks });
  }
  return found;
}

function listPids(): readonly number[] {
  try {
    return readdirSync("/proc")
      .map(Number)
      .filter((pid) => pid > 0);
  } catch (error) {
    if (hasCode(error, "ENOENT", "EACCES")) return [];
    throw error;
  }
}

function carries(pid: number, wanted: Buffer): boolean {
  try {
    const environment = readFileSync(`/proc/${pid}/environ`);
    return environment.includes(wanted) || environment.subarray(0, wanted.length - 1).equals(wanted.subarray(1));
  } catch (error) {
    // Another user's process, or one that ended meanwhile.
    if (hasCode(error, "ENOENT", "ESRCH", "EACCES", "EPERM", "EIO")) return false;
    throw error;
  }
}
