import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { type Finished, processesIn, type Started, waitFor } from "../e2e/rig.ts";

/** Memory of a process in MB (1e6 bytes): now, and the most that it ever had. */
export interface Memory {
  readonly rssMegabytes: number;
  readonly peakMegabytes: number;
}

/** `undefined` once the process is gone, or dead and not waited for. */
export function readMemory(pid: number): Memory | undefined {
  const status = readProc(pid, "status");
  if (status?.includes("VmRSS:") !== true) return undefined;
  const megabytes = (field: string): number =>
    (Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "mu").exec(status)?.[1] ?? Number.NaN) * 1024) / 1e6;
  return { rssMegabytes: megabytes("VmRSS"), peakMegabytes: megabytes("VmHWM") };
}

/** CPU time in ms, of itself and of helpers that it has waited for; steps of 10 ms. */
export function readCpuMs(pid: number): { readonly own: number; readonly helpers: number } {
  const stat = readProc(pid, "stat") ?? "";
  const fields = stat
    .slice(stat.lastIndexOf(")") + 2)
    .split(" ")
    .map(Number);
  const [user = Number.NaN, system = Number.NaN, helpersUser = 0, helpersSystem = 0] = fields.slice(11, 15);
  return { own: (user + system) * 10, helpers: (helpersUser + helpersSystem) * 10 };
}

/** The recorder of the only run in a rig's folder. */
export function findRecorder(root: string): number | undefined {
  return processesIn(root).find((pid) => /\/recorder(?:-main)?\.[cm]?[jt]s/u.test(readProc(pid, "cmdline") ?? ""));
}

/** Waits for a run, whose recorder is looked at every 50 ms. Rejects where the run fails. */
export async function watchRun(
  run: Started,
  root: string,
): Promise<{ readonly finished: Finished; readonly memory: readonly Memory[] }> {
  const recorder = await waitFor(() => findRecorder(root), { what: "the recorder runs" });
  const memory: Memory[] = [];
  let finished: Finished | undefined;
  do {
    const now = readMemory(recorder);
    if (now !== undefined) memory.push(now);
    finished = await Promise.race([run.finished, sleep(50, undefined)]);
  } while (finished === undefined);
  if (finished.code !== 0) throw new Error(`the run ended with ${finished.code}: ${finished.stderr}`);
  return { finished, memory };
}

function readProc(pid: number, file: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "latin1");
  } catch {
    return undefined;
  }
}
