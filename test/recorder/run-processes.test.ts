import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { afterEach, expect, test } from "vitest";
import { findRunProcesses } from "../../src/recorder/run-processes.ts";
import { newRunId } from "../../src/util/ids.ts";
import { readStartTicks } from "../../src/util/proc.ts";

const started: ChildProcess[] = [];

afterEach(() => {
  for (const child of started.splice(0)) if (child.exitCode === null) child.kill("SIGKILL");
});

/** A process that stays, with this environment and no other variable. */
async function stay(env: Record<string, string>): Promise<number> {
  const child = spawn("/bin/sleep", ["60"], { env, stdio: "ignore", detached: true });
  started.push(child);
  const pid = child.pid ?? 0;
  // Before its exec the child is still a copy of this process.
  while (!readFileSync(`/proc/${pid}/cmdline`, "latin1").startsWith("/bin/sleep")) {
    await new Promise((settle) => setTimeout(settle, 2));
  }
  return pid;
}

const pidsOf = (runId: string, except: readonly number[] = []) =>
  findRunProcesses(runId, new Set(except))
    .map(({ pid }) => pid)
    .sort((a, b) => a - b);

test("finds every process that carries the run's id, wherever in its environment", async () => {
  const runId = newRunId();
  const pids = [
    await stay({ TRACK_RUN_ID: runId }),
    await stay({ A: "1", TRACK_RUN_ID: runId, B: "2" }),
    await stay({ A: "1", TRACK_RUN_ID: runId }),
  ];
  expect(pidsOf(runId)).toEqual(pids.toSorted((a, b) => a - b));
  expect(findRunProcesses(runId, new Set())).toContainEqual({ pid: pids[0], startTicks: readStartTicks(pids[0] ?? 0) });
});

test("leaves out the excepted ones, other runs' and those that merely mention the id", async () => {
  const runId = newRunId();
  const own = await stay({ TRACK_RUN_ID: runId });
  const excepted = await stay({ TRACK_RUN_ID: runId });
  await stay({ TRACK_RUN_ID: newRunId() });
  await stay({ TRACK_RUN_ID: `${runId}0`, MY_TRACK_RUN_ID: runId, NOTE: `TRACK_RUN_ID=${runId}` });
  expect(pidsOf(runId, [excepted])).toEqual([own]);
});

test("a process that has ended is none, though nobody has waited for it yet", async () => {
  const runId = newRunId();
  const shell = spawn("/bin/sh", ["-c", "sleep 0.1 & echo $!; exec sleep 60"], {
    env: { TRACK_RUN_ID: runId },
    stdio: ["ignore", "pipe", "ignore"],
  });
  started.push(shell);
  const zombie = Number(await new Promise((settle) => shell.stdout.once("data", settle)));
  while (!/^State:\s+Z/mu.test(readFileSync(`/proc/${zombie}/status`, "latin1"))) {
    await new Promise((settle) => setTimeout(settle, 2));
  }
  expect(pidsOf(runId)).toEqual([shell.pid]);
  shell.kill("SIGKILL");
  await new Promise((settle) => shell.once("exit", settle));
  expect(pidsOf(runId)).toEqual([]);
  expect(existsSync(`/proc/${shell.pid}`)).toBe(false);
});
