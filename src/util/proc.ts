import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";
import { hasCode } from "./error-code.ts";

/** Content of a small file, or `undefined` where it cannot be read (not there, gone, not ours). */
export function readOrUndefined(path: string): string | undefined {
  try {
    return readFileSync(path, "latin1");
  } catch (error) {
    if (hasCode(error, "ENOENT", "ESRCH", "EACCES", "EPERM", "ENOTDIR", "EINVAL", "EIO")) return undefined;
    throw error;
  }
}

/**
 * Fields of /proc/<pid>/stat after the command name, which may itself hold blanks and brackets.
 * Index 0 is the state letter, index 1 the parent's pid, index 19 the start time in clock ticks since boot.
 */
export function readStat(pid: number): readonly string[] | undefined {
  const text = readOrUndefined(`/proc/${pid}/stat`);
  if (text === undefined) return undefined;
  return text.slice(text.lastIndexOf(")") + 2).split(" ");
}

/** Start time of a process in clock ticks since boot; 0 where it is unknown (no /proc), `undefined` when the process is gone. */
export function readStartTicks(pid: number): number | undefined {
  const stat = readStat(pid);
  return stat === undefined ? undefined : Number(stat[19] ?? 0);
}

/** Whether that very process still runs; a zombie counts as gone. */
export function isProcessAlive(process: { readonly pid: number; readonly startTicks: number }): boolean {
  const stat = readStat(process.pid);
  return stat !== undefined && stat[0] !== "Z" && stat[0] !== "X" && Number(stat[19]) === process.startTicks;
}

/** Where this process runs, as `track.process` and the journal header say it. */
export function readPlace(): { host: string; machineId: string; bootId: string; pidNamespace: string } {
  return {
    host: hostname(),
    machineId: (readOrUndefined("/etc/machine-id") ?? "").trim(),
    bootId: (readOrUndefined("/proc/sys/kernel/random/boot_id") ?? "").trim(),
    pidNamespace: readLink("/proc/self/ns/pid") ?? "",
  };
}

/** Text of a symbolic link, or `undefined` where there is none to read. */
export function readLink(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch (error) {
    if (hasCode(error, "ENOENT", "ESRCH", "EACCES", "EPERM", "EINVAL", "ENOTDIR")) return undefined;
    throw error;
  }
}
