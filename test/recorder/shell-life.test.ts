import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { ShellLife } from "../../src/recorder/shell-life.ts";
import { readStartTicks } from "../../src/util/proc.ts";
import type { AttemptEnd } from "../../src/wire/final-status.ts";
import type { ProcessIdentity } from "../../src/wire/journal-header.ts";
import { writePrivate } from "../../src/util/write-private.ts";
import { waitFor } from "../e2e/rig.ts";

const summary = {
  runId: "r",
  status: "FAILED" as const,
  runName: "n",
  metrics: [],
  gpuUtilization: [],
  pendingEntries: 0,
  refusedEntries: 0,
};

let folder: string;
let shells: ProcessIdentity[];
let ends: AttemptEnd[];
let life: ShellLife;
let sleeper: ChildProcess;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "shell-life-"));
  shells = [];
  ends = [];
  sleeper = spawn("sleep", ["60"]);
  life = new ShellLife({
    folder,
    onShell: (shell) => shells.push(shell),
    onEnd: (end) => ends.push(end),
    now: () => 1234,
  });
  life.begin("r");
  return async () => {
    sleeper.kill("SIGKILL");
    // Its timers end with the run.
    await Promise.race([life.end({}), Promise.resolve()]);
    rmSync(folder, { recursive: true, force: true });
  };
});

const sleeperPid = (): number => sleeper.pid ?? 0;
const command = (): unknown => JSON.parse(readFileSync(join(folder, "command.json"), "utf8"));

test("until the shell is known, the journal names the recorder", () => {
  expect(command()).toMatchObject({ pid: process.pid, startTicks: readStartTicks(process.pid), runId: "r" });
});

test("the first pid is the shell's, and the run is over when that very process is gone", async () => {
  life.hearPid(sleeperPid());
  life.hearPid(process.pid);
  const shell = { pid: sleeperPid(), startTicks: readStartTicks(sleeperPid()) };
  expect(shells).toEqual([shell]);
  expect(command()).toMatchObject({ ...shell, console: { kind: "none" } });
  expect(ends).toEqual([]);
  sleeper.kill("SIGKILL");
  await waitFor(() => ends.length > 0, { timeoutMs: 2000 });
  expect(ends).toEqual([{ missing: "killed" }]);
});

test("a shell that is gone already has no run", () => {
  life.hearPid(2 ** 22 + 1);
  expect([shells, ends]).toEqual([[], [{ missing: "killed" }]]);
});

test("what is left in the folder by an end without a socket is the end", async () => {
  life.hearPid(sleeperPid());
  const end = { status: "FAILED" as const, isScriptStatusKept: false, endTime: 5, askerPid: process.pid };
  writePrivate(folder, "outcome.json", JSON.stringify(end));
  await waitFor(() => ends.length > 0);
  expect(ends).toEqual([end]);
  expect([life.isWaitedFor, life.askerPids]).toEqual([true, [process.pid]]);
});

describe("an end", () => {
  test("is kept, told once, and answered when all is stored, with what nobody has heard", async () => {
    life.note("the store is slow");
    const first = life.end({ exitCode: 3, pid: sleeperPid() });
    const second = life.end({ exitCode: 0 });
    const outcome = {
      outcome: { kind: "exited", exitCode: 3 },
      endTime: 1234,
      timedOut: false,
      oomKilled: false,
    };
    expect(ends).toEqual([outcome]);
    expect(JSON.parse(readFileSync(join(folder, "outcome.json"), "utf8"))).toEqual(outcome);
    expect([life.isWaitedFor, life.askerPids]).toEqual([true, [sleeperPid()]]);
    life.answer(summary);
    expect(await first).toEqual({ ...summary, notices: ["the store is slow"] });
    expect(await second).toMatchObject({ isAgain: true });
    expect(await life.end({})).toMatchObject({ status: "FAILED", isAgain: true });
    expect(life.isWaitedFor).toBe(false);
  });

  test("is waited for only as long as who asks lives", async () => {
    void life.end({ status: "KILLED", pid: sleeperPid() });
    expect(life.isWaitedFor).toBe(true);
    sleeper.kill("SIGKILL");
    await waitFor(() => !life.isWaitedFor);
    expect(ends).toEqual([{ status: "KILLED", isScriptStatusKept: false, endTime: 1234 }]);
  });
});
