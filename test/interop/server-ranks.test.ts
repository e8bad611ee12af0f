import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { openArtifactRepository } from "../../src/artifacts/open-artifact-repository.ts";
import type { Run } from "../../src/entities/run.ts";
import { plainAccess } from "../../src/entities/server-access.ts";
import { metricsOf, type StartOptions, tagsOf, TrackRig, waitFor } from "../e2e/rig.ts";
import { makeFolder, removeFolder } from "./interop-folder.ts";
import { MlflowServer } from "./mlflow-server.ts";
import { isInstalled, newestMlflow } from "./mlflow-versions.ts";
import { warmUp } from "./warm-up.ts";

describe.skipIf(!isInstalled(newestMlflow))("ranks and attempts with a tracking server", () => {
  let server: MlflowServer;
  let rig: TrackRig;

  beforeAll(async () => {
    const folder = makeFolder();
    server = await MlflowServer.start(newestMlflow, `sqlite:///${folder}/mlflow.db`, folder);
    await warmUp(server);
    return async () => {
      await server[Symbol.asyncDispose]();
      removeFolder(folder);
    };
  });
  beforeEach(() => {
    rig = TrackRig.setup();
  });
  afterEach(() => rig[Symbol.asyncDispose]());

  /** Another node: no home and no journals in common. */
  const node = (name: string, more: Readonly<Record<string, string>>): NonNullable<StartOptions["env"]> => {
    const home = join(rig.root, name);
    mkdirSync(home, { recursive: true });
    return { HOME: home, MLFLOW_TRACKING_URI: server.url, SLURMD_NODENAME: name, ...more };
  };
  const runsOf = async (experiment: string): Promise<readonly Run[]> => {
    await using store = await rig.openStore(server.url);
    const found = await store.getExperimentByName(experiment);
    return found === undefined ? [] : (await store.searchRuns({ experimentIds: [found.experimentId] })).items;
  };
  const onlyRun = async (experiment: string): Promise<Run> => {
    const [run, ...others] = await runsOf(experiment);
    if (run === undefined || others.length > 0) throw new Error(`${others.length + 1} runs instead of one`);
    return run;
  };

  test("ranks of two nodes, one early and one late, have one run; the one that fails makes it FAILED", async () => {
    const script = [
      'touch "up$SLURM_PROCID"',
      'echo "m$SLURM_PROCID=1" >> "$TRACK_LOG"',
      'echo "rank $SLURM_PROCID"',
      "while [ ! -e go ]; do sleep 0.02; done",
      '[ "$SLURM_PROCID" != 2 ] || exit 5',
    ].join("\n");
    const start = (rank: number) =>
      rig.start(["run", "-e", "ranks", "--", "sh", "-c", script], {
        env: node(`node${rank}`, {
          SLURM_JOB_ID: "12",
          SLURM_STEP_ID: "0",
          SLURM_PROCID: String(rank),
          SLURM_NTASKS: "3",
          SLURM_LOCALID: "0",
        }),
      });
    const early = start(2);
    await waitFor(() => existsSync(join(rig.cwd, "up2")), { what: "rank 2 runs without its run" });
    const first = start(0);
    await waitFor(async () => (await runsOf("ranks")).length === 1);
    const late = start(1);
    await waitFor(() => existsSync(join(rig.cwd, "up1")) && existsSync(join(rig.cwd, "up0")));
    writeFileSync(join(rig.cwd, "go"), "");
    const done = await Promise.all([first, late, early].map(({ finished }) => finished));
    expect(done.map(({ code }) => code)).toEqual([0, 0, 5]);
    const run = await waitFor(async () => {
      const found = await onlyRun("ranks");
      return found.info.status === "FAILED" ? found : undefined;
    });
    expect(metricsOf(run)).toEqual({ m0: 1, m1: 1, m2: 1 });
    expect(tagsOf(run)).toMatchObject({ "track.exit_code": "0", "track.rank.2.exit_code": "5" });
    const repository = openArtifactRepository(run.info.artifactUri, { access: plainAccess(server.url) });
    const logs = (await repository.listArtifacts("console")).map(({ path }) => path).toSorted();
    expect(logs).toEqual(["console/attempt-1-rank-1.log", "console/attempt-1-rank-2.log", "console/attempt-1.log"]);
    const names = run.data.metrics.map(({ key }) => key).filter((key) => key.endsWith("/cpu_utilization_percentage"));
    expect(names.toSorted()).toEqual([0, 1, 2].map((rank) => `system/node${rank}/cpu_utilization_percentage`));
  });

  test("recorded offline: track sync brings all ranks into one run, whatever journal comes first", async () => {
    const ranks = [1, 0].map((rank) => ({
      SLURM_JOB_ID: "14",
      SLURM_STEP_ID: "0",
      SLURM_PROCID: String(rank),
      SLURM_NTASKS: "2",
      SLURM_LOCALID: String(rank),
      SLURM_NNODES: "1",
    }));
    const script = 'echo "m$SLURM_PROCID=1" >> "$TRACK_LOG"; exit $SLURM_PROCID';
    const args = ["run", "--offline", "-e", "offline", "--", "sh", "-c", script];
    for (const variables of ranks) await rig.track(args, { env: node("a", variables) });
    const sent = await rig.track(["sync"], { env: node("a", {}) });
    expect(sent).toMatchObject({ code: 0, stderr: "" });
    const run = await onlyRun("offline");
    expect(run.info.status).toBe("FAILED");
    expect(metricsOf(run)).toEqual({ m0: 1, m1: 1 });
    const key = await rig.track(["run", "--offline", "--resume-key", "k", "--", "true"], { env: node("a", {}) });
    expect(key).toMatchObject({ code: 125, stderr: expect.stringContaining("cannot be continued --offline") });
  });

  test("a requeued job goes on from another node, and so does a resume key", async () => {
    const job = (name: string, restarts: string) => node(name, { SLURM_JOB_ID: "13", SLURM_RESTART_COUNT: restarts });
    const run = async (name: string, restarts: string) =>
      (
        await rig.track(["run", "-e", "requeued", "--", "sh", "-c", "echo $TRACK_ATTEMPT; kill -TERM $$"], {
          env: job(name, restarts),
        })
      ).stdout;
    expect([await run("a", "0"), await run("b", "1"), await run("a", "2")]).toEqual(["1\n", "2\n", "3\n"]);
    expect(tagsOf(await onlyRun("requeued"))).toMatchObject({
      "track.attempt": "3",
      "track.attempt.2.end_reason": "terminated",
    });
    const keyed = async (name: string) =>
      (
        await rig.track(["run", "-e", "keyed", "--resume-key", "k", "--", "sh", "-c", "echo $TRACK_ATTEMPT"], {
          env: node(name, {}),
        })
      ).stdout;
    expect([await keyed("a"), await keyed("b")]).toEqual(["1\n", "2\n"]);
  });
});
