import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import type { Run } from "../../src/entities/run.ts";
import { type Finished, metricsOf, paramsOf, programs, tagsOf, TrackRig } from "../e2e/rig.ts";
import { dumpStore } from "./dump-store.ts";
import { shareAgent } from "./interop-folder.ts";
import { mlflowEnvironment } from "./mlflow-agent.ts";
import { type MlflowVersion, mlflowVersions, venvProgram } from "./mlflow-versions.ts";
import { describeWith } from "./with-mlflow.ts";

const script = join(import.meta.dirname, "python/train_mlflow.py");

describe.each(mlflowVersions)("track run around MLflow $version", (version) => {
  describeWith(version)("on the embedded store", () => {
    const mlflow = shareAgent(version);
    let rig: TrackRig;
    beforeAll(() => {
      rig = TrackRig.setup();
      return () => rig[Symbol.asyncDispose]();
    });

    test("plain MLflow logs into the wrapper's run, attempt after attempt, and nothing is lost beside its upgrade", async () => {
      const first = await trackPython(rig, version, "plain", ["-e", "plain", "-n", "two attempts"]);
      expect(first.finished).toMatchObject({ code: 0 });
      expect(await idsIn(rig, "plain")).toEqual([first.said.run_id]);
      expect(first.run.info).toMatchObject({ status: "FINISHED", runName: "two attempts", lifecycleStage: "active" });
      expect(paramsOf(first.run)).toEqual({ opt: "adam" });
      expect(metricsOf(first.run)).toEqual({ loss: 1 / 20, appended: (first.said.appended - 1) / 2 });
      expect(tagsOf(first.run)).toMatchObject({ team: "vision", "track.exit_code": "0", "track.attempt": "1" });
      expect(await steps(rig, first.run, "loss")).toEqual(upTo(20));
      expect(await steps(rig, first.run, "appended")).toEqual(upTo(first.said.appended));
      expect(readArtifact(first.run, "notes/a.txt")).toBe("hello");
      expect(readArtifact(first.run, "console/attempt-1.log")).toContain(first.finished.stdout);

      const again = await rig.track(["resume", first.said.run_id], { env: mlflowEnvironment(rig.cwd) });
      const said = parseSaid(again);
      expect(said.run_id).toBe(first.said.run_id);
      const second = await getRun(rig, said.run_id);
      expect(second.info.status).toBe("FINISHED");
      expect(second.info.endTime).toBeGreaterThan(first.run.info.endTime ?? Infinity);
      expect(tagsOf(second)).toMatchObject({ "track.attempt": "2", "track.exit_code": "0" });
      expect(await steps(rig, second, "loss")).toEqual([...upTo(20), ...upTo(20)].sort(ascending));
      expect(await steps(rig, second, "appended")).toHaveLength(first.said.appended + said.appended);
    });

    test("the script's own end_run('FAILED') counts where it exits with 0", async () => {
      const { run, finished } = await trackPython(rig, version, "end-failed", ["-e", "ends"]);
      expect(finished.code).toBe(0);
      expect(run.info.status).toBe("FAILED");
      expect(tagsOf(run)).toMatchObject({ "track.exit_code": "0" });
    });

    test("exit code 3 is FAILED, though MLflow says FINISHED at exit", async () => {
      const { run, finished } = await trackPython(rig, version, "exit-3", ["-e", "ends"]);
      expect(finished.code).toBe(3);
      expect(run.info.status).toBe("FAILED");
      expect(tagsOf(run)).toMatchObject({ "track.exit_code": "3" });
    });

    test("MLflow reads all that a run without MLflow in it has left", async () => {
      const train = ["python3", join(programs, "train.py"), "--epochs", "3"];
      const { code } = await rig.track(["run", "-e", "digits", "-p", "lr=0.1", "-t", "team=vision", "--", ...train]);
      expect(code).toBe(0);
      await using store = await rig.openStore();
      const [runId = ""] = await idsIn(rig, "digits");
      const theirs = await mlflow().ask("dump_store", { uri: rig.trackingUri });
      expect(theirs).toEqual(await dumpStore(store));
      expect(theirs.runs.find((run) => run["run_id"] === runId)).toMatchObject({
        status: "FINISHED",
        params: { lr: "0.1", epochs: "3", seed: "0" },
        tags: { team: "vision", "track.command": JSON.stringify(train), "track.exit_code": "0" },
        history: {
          loss: [1, 2, 3].map((step) => [expect.any(Number), expect.any(Number), step]),
          "system/cpu_utilization_percentage": expect.arrayContaining([[expect.any(Number), expect.any(Number), 0]]),
        },
        artifacts: expect.arrayContaining([["console/attempt-1.log", expect.any(Number), expect.any(String)]]),
      });
    });
  });
});

interface Said {
  readonly run_id: string;
  /** Lines that the script appended to $TRACK_LOG. */
  readonly appended: number;
}

/** `track run` around the script; the run is the one that MLflow logged to. */
async function trackPython(
  rig: TrackRig,
  version: MlflowVersion,
  way: string,
  options: readonly string[],
): Promise<{ finished: Finished; said: Said; run: Run }> {
  const command = [venvProgram(version, "python"), script, way];
  const finished = await rig.track(["run", ...options, "--", ...command], { env: mlflowEnvironment(rig.cwd) });
  const said = parseSaid(finished);
  return { finished, said, run: await getRun(rig, said.run_id) };
}

function parseSaid({ stdout, stderr }: Finished): Said {
  const line = /^\{"run_id".*\}$/mu.exec(stdout)?.[0];
  if (line === undefined) throw new Error(`the script said nothing: ${stdout}${stderr}`);
  return JSON.parse(line) as Said;
}

async function getRun(rig: TrackRig, runId: string): Promise<Run> {
  await using store = await rig.openStore();
  return await store.getRun(runId);
}

async function idsIn(rig: TrackRig, experimentName: string): Promise<readonly string[]> {
  await using store = await rig.openStore();
  const experiment = await store.getExperimentByName(experimentName);
  const { items } = await store.searchRuns({ experimentIds: [experiment?.experimentId ?? ""], viewType: "ALL" });
  return items.map(({ info }) => info.runId);
}

async function steps(rig: TrackRig, run: Run, key: string): Promise<readonly number[]> {
  await using store = await rig.openStore();
  const { items } = await store.getMetricHistory(run.info.runId, key);
  return items.map(({ step }) => step).sort(ascending);
}

const ascending = (a: number, b: number): number => a - b;

const upTo = (count: number): readonly number[] => Array.from({ length: count }, (_, index) => index);

const readArtifact = (run: Run, path: string): string => readFileSync(join(run.info.artifactUri, path), "utf8");
