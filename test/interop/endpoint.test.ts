import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { openTrackingStore } from "../../src/store/open-store.ts";
import type { Run } from "../../src/entities/run.ts";
import { type Finished, metricsOf, paramsOf, processesIn, tagsOf, TrackRig, waitFor } from "../e2e/rig.ts";
import { mlflowEnvironment } from "./mlflow-agent.ts";
import { type MlflowVersion, mlflowVersions, newestMlflow, venvProgram } from "./mlflow-versions.ts";
import { describeWith } from "./with-mlflow.ts";

const script = join(import.meta.dirname, "python/endpoint_script.py");
const lockProgram = join(import.meta.dirname, "../journal/programs/lock-database.ts");

let rig: TrackRig;
beforeEach(() => {
  rig = TrackRig.setup();
  return () => rig[Symbol.asyncDispose]();
});

const hooks = [{ options: [] }, { options: ["--no-python-hook"] }] as const;

describe.each(mlflowVersions)("MLflow $version inside track run", (version) => {
  describeWith(version)("on the loopback endpoint", () => {
    test.each(hooks)(
      "a plain fluent script is the wrapper's run, complete and finished ($options)",
      async ({ options }) => {
        const { said, finished } = await python(version, ["fluent"], options);
        expect(finished.code, finished.stderr).toBe(0);
        const run = await rig.run();
        expect(said).toEqual({
          run_id: run.info.runId,
          status: "RUNNING",
          loss: 1 / 50,
          tags: { team: "vision", gone: null },
          history: 50,
          changed: "INVALID_PARAMETER_VALUE",
          found: [run.info.runId],
          artifacts: ["notes/a.txt"],
        });
        expect(run.info.status).toBe("FINISHED");
        expect(paramsOf(run)).toEqual({ lr: "0.1" });
        expect(Object.keys(metricsOf(run))).toHaveLength(1201);
        expect(metricsOf(run)).toMatchObject({ loss: 1 / 50, m1: Number.NaN, m1199: 1199 });
        expect(tagsOf(run)).toMatchObject({ team: "vision", "track.exit_code": "0" });
        expect(readFileSync(`${run.info.artifactUri}/notes/a.txt`, "utf8")).toBe("hello");
      },
    );

    test("MlflowClient's first run is the wrapper's, the next one its child; the command line wins", async () => {
      const { said } = await python(version, ["client"], ["-t", "pinned=shell"]);
      const [own, child] = await ownAndOthers();
      expect(said).toEqual({ first: own.info.runId, second: child?.info.runId, name: "named in code" });
      expect(own.info).toMatchObject({ status: "FINISHED", runName: "named in code" });
      expect(tagsOf(own)).toMatchObject({ from: "client", pinned: "shell", "mlflow.runName": "named in code" });
      // Nobody ended it, and the command ended well.
      expect(child?.info.status).toBe("FINISHED");
      expect(tagsOf(child as Run)).toMatchObject({ "mlflow.parentRunId": own.info.runId });
    });

    test.each(hooks)("nested runs are children, each with its own params ($options)", async ({ options }) => {
      const { said } = await python(version, ["nested"], ["-n", "mine", ...options]);
      const [own, ...children] = await ownAndOthers();
      expect(said).toEqual({ parent: own.info.runId, children: expect.any(Array) });
      expect(own.info.runName).toBe("mine");
      expect(
        children.map((run) => [run.info.runName, run.info.status, paramsOf(run), metricsOf(run)]).toSorted(byText),
      ).toEqual([0, 1, 2].map((trial) => [`trial ${trial}`, "FINISHED", { trial: String(trial) }, { score: trial }]));
      for (const child of children) expect(tagsOf(child)["mlflow.parentRunId"]).toBe(own.info.runId);
    });

    test.each(hooks)(
      "the run goes where set_experiment says, unless -e says otherwise ($options)",
      async ({ options }) => {
        const moved = await python(version, ["chosen"], options);
        expect(moved.finished.code, moved.finished.stderr).toBe(0);
        const run = await rig.run();
        expect(moved.said).toEqual({ run_id: run.info.runId, experiment: run.info.experimentId });
        expect(run.info).toMatchObject({ status: "FINISHED", experimentId: "1" });

        const kept = await python(version, ["chosen"], ["-e", "given", ...options]);
        expect(kept.finished.code, kept.finished.stderr).toBe(0);
        expect(kept.finished.stderr).toContain(
          "the command chose experiment chosen in code; the run stays where it was put",
        );
        expect((await getRun(kept.said["run_id"])).info.experimentId).toBe("2");

        const read = await python(version, ["looked_up"], options);
        expect((await getRun(read.said["run_id"])).info.experimentId).toBe("0");
      },
    );

    test("start_run(run_id=other) writes to that run and leaves ours alone", async () => {
      const otherId = await makeOther();
      const { said } = await python(version, ["other"], [], { OTHER_RUN: otherId });
      expect(said).toEqual({ run_id: otherId, kept: "1" });
      const [own, other] = await ownAndOthers();
      expect(metricsOf(own)).toEqual({});
      expect(other?.info.status).toBe("FINISHED");
      expect(paramsOf(other as Run)).toEqual({ early: "1", late: "yes" });
    });

    test("threads, forked and spawned workers log to one run", async () => {
      await python(version, ["threads"]);
      const run = await rig.run();
      expect(metricsOf(run)).toEqual(Object.fromEntries(oneTo(8).map((n) => [`thread${n - 1}`, 24])));
      const { said } = await python(version, ["workers"]);
      expect(metricsOf(await getRun(said["run_id"]))).toEqual({ fork0: 1, fork1: 1, spawn0: 1, spawn1: 1, after: 1 });
    });
  });
});

describeWith(newestMlflow)("the endpoint and the life of a run", () => {
  test("two programs of one command are one run; a param that differs is kept beside it", async () => {
    const one = `${venvProgram(newestMlflow, "python")} ${script} part`;
    const finished = await rig.track(["run", "--", "sh", "-c", `${one} 1 && ${one} 2`], env());
    expect(finished.code, finished.stderr).toBe(0);
    const run = await rig.run();
    expect(run.info.status).toBe("FINISHED");
    expect(metricsOf(run)).toEqual({ part1: 1, part2: 1 });
    expect(paramsOf(run)).toEqual({ part: "1" });
    expect(tagsOf(run)).toMatchObject({ "track.attempt.1.param.part": "2" });
  });

  test("an uncaught exception is FAILED, and so is the run that it left open", async () => {
    const finished = await rig.track(["run", "--", ...command(newestMlflow, ["crash"])], env());
    expect(finished.code).toBe(1);
    const [own, left] = await ownAndOthers();
    expect([own.info.status, left?.info.status]).toEqual(["FAILED", "FAILED"]);
    expect(left?.info.endTime).toBe(own.info.endTime);
  });

  test("kill -9 of the recorder in the middle of a loop: nothing lost, nothing doubled, no error", async () => {
    const started = rig.start(["run", "--", ...command(newestMlflow, ["loop", "400"])], env());
    await waitFor(() => existsSync(join(rig.cwd, "going")), { what: "the loop runs" });
    process.kill(await recorderPid(), "SIGKILL");
    const finished = await started.finished;
    expect(finished.code, finished.stderr).toBe(0);
    const [own, child] = await ownAndOthers();
    expect(own.info.status).toBe("FINISHED");
    expect(await steps(own, "loss")).toEqual(oneTo(400).map((n) => n - 1));
    expect(paramsOf(child as Run)).toEqual({ kind: "child" });
  });

  test("16 processes that log at once: no error, and nothing lost", async () => {
    const count = process.env["TRACK_TEST_FULL"] === undefined ? 500 : 10_000;
    const { said, finished } = await python(newestMlflow, ["load", "16", String(count)]);
    expect(said["exits"], finished.stderr).toEqual(oneTo(16).map(() => 0));
    const run = await rig.run();
    for (const n of oneTo(16)) {
      expect(await steps(run, `process${n - 1}`)).toEqual(oneTo(count).map((step) => step - 1));
    }
  }, 1_200_000);

  const lockMs = process.env["TRACK_TEST_FULL"] === undefined ? 6000 : 30_000;

  test(
    `a store that is locked for ${lockMs / 1000} s is never seen, neither by calls nor by signals`,
    { timeout: 120_000 },
    async () => {
      const started = rig.start(["run", "--", ...command(newestMlflow, ["until_stopped"])], env());
      const file = (name: string): string => join(rig.cwd, name);
      await waitFor(() => existsSync(file("going")), { what: "the loop runs" });
      const lock = rig.spawn(process.execPath, [lockProgram, file("mlflow.db"), String(lockMs)]);
      await waitFor(() => lock.stdout().includes("locked"), { what: "the lock" });
      const locked = performance.now();
      started.process.kill("SIGTERM");
      await waitFor(() => existsSync(file("told")), { what: "the signal arrives" });
      expect(performance.now() - locked).toBeLessThan(1500);
      await lock.finished;
      writeFileSync(file("stop"), "");
      const finished = await started.finished;
      expect(finished.code, finished.stderr).toBe(0);
      const said = JSON.parse(finished.stdout.trim()) as { points: number; slowest: number };
      expect(said.points).toBeGreaterThan(lockMs / 200);
      expect(said.slowest).toBeLessThan(2);
      const [own] = await ownAndOthers();
      expect(own.info.status).toBe("FINISHED");
      expect(await steps(own, "loss")).toEqual(oneTo(said.points).map((n) => n - 1));
    },
  );
});

const byText = (a: unknown, b: unknown): number => (String(a) < String(b) ? -1 : 1);
const oneTo = (count: number): readonly number[] => Array.from({ length: count }, (_, index) => index + 1);
const env = (more: Readonly<Record<string, string>> = {}) => ({ env: { ...mlflowEnvironment(rig.cwd), ...more } });
const command = (version: MlflowVersion, args: readonly string[]): readonly string[] => [
  venvProgram(version, "python"),
  script,
  ...args,
];

async function python(
  version: MlflowVersion,
  args: readonly string[],
  options: readonly string[] = [],
  more: Readonly<Record<string, string>> = {},
): Promise<{ readonly finished: Finished; readonly said: Readonly<Record<string, unknown>> }> {
  const finished = await rig.track(["run", ...options, "--", ...command(version, args)], env(more));
  const line = finished.stdout.trim().split("\n").at(-1) ?? "";
  if (!line.startsWith("{")) throw new Error(`nothing was said: ${finished.stderr}`);
  return { finished, said: JSON.parse(line) as Readonly<Record<string, unknown>> };
}

/** The wrapper's own run, which is the one with an exit code, and the others. */
async function ownAndOthers(): Promise<readonly [Run, ...Run[]]> {
  const runs = await rig.runs();
  const own = runs.find((run) => tagsOf(run)["track.command"] !== undefined);
  if (own === undefined) throw new Error("no run of the wrapper's");
  return [own, ...runs.filter((run) => run !== own)];
}

async function getRun(runId: unknown): Promise<Run> {
  await using store = await rig.openStore();
  return await store.getRun(String(runId));
}

async function makeOther(): Promise<string> {
  await using store = await openTrackingStore(rig.trackingUri, { mode: "write" });
  const { info } = await store.createRun({ experimentId: "0", userId: "u", startTime: 1, runName: "other", tags: [] });
  await store.logBatch(info.runId, { params: [{ key: "early", value: "1" }] });
  return info.runId;
}

async function steps(run: Run, key: string): Promise<readonly number[]> {
  await using store = await rig.openStore();
  const { items } = await store.getMetricHistory(run.info.runId, key);
  return items.map(({ step }) => step).toSorted((a, b) => a - b);
}

function recorderPid(): Promise<number> {
  const isRecorder = (pid: number) => readFileSync(`/proc/${pid}/cmdline`, "latin1").includes("recorder.cjs");
  return waitFor(() => processesIn(rig.root).find(isRecorder), { what: "a recorder" });
}
