import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openArtifactRepository } from "../../src/artifacts/open-artifact-repository.ts";
import { plainAccess } from "../../src/entities/server-access.ts";
import { metricsOf, type StartOptions, tagsOf, waitFor } from "../e2e/rig.ts";
import { newestMlflow } from "./mlflow-versions.ts";
import { serveRigs } from "./served.ts";
import { describeWith } from "./with-mlflow.ts";

describeWith(newestMlflow)("ranks and attempts with a tracking server", () => {
  const on = serveRigs("ranks");

  /** Another node: no home and no journals in common. */
  const node = (name: string, more: Readonly<Record<string, string>>): NonNullable<StartOptions["env"]> => {
    const home = join(on.rig.root, name);
    mkdirSync(home, { recursive: true });
    return { HOME: home, MLFLOW_TRACKING_URI: on.server.url, SLURMD_NODENAME: name, ...more };
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
      on.rig.start(["run", "-e", "ranks", "--", "sh", "-c", script], {
        env: node(`node${rank}`, {
          SLURM_JOB_ID: "12",
          SLURM_STEP_ID: "0",
          SLURM_PROCID: String(rank),
          SLURM_NTASKS: "3",
          SLURM_LOCALID: "0",
        }),
      });
    const early = start(2);
    await waitFor(() => existsSync(join(on.rig.cwd, "up2")), { what: "rank 2 runs without its run" });
    const first = start(0);
    await waitFor(async () => (await on.runs("ranks")).length === 1);
    const late = start(1);
    await waitFor(() => existsSync(join(on.rig.cwd, "up1")) && existsSync(join(on.rig.cwd, "up0")));
    writeFileSync(join(on.rig.cwd, "go"), "");
    const done = await Promise.all([first, late, early].map(({ finished }) => finished));
    expect(done.map(({ code }) => code)).toEqual([0, 0, 5]);
    const run = await waitFor(async () => {
      const found = await on.onlyRun("ranks");
      return found.info.status === "FAILED" ? found : undefined;
    });
    expect(metricsOf(run)).toEqual({ m0: 1, m1: 1, m2: 1 });
    expect(tagsOf(run)).toMatchObject({ "track.exit_code": "0", "track.rank.2.exit_code": "5" });
    const repository = openArtifactRepository(run.info.artifactUri, { access: plainAccess(on.server.url) });
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
    for (const variables of ranks) await on.rig.track(args, { env: node("a", variables) });
    const sent = await on.rig.track(["sync"], { env: node("a", {}) });
    expect(sent).toMatchObject({ code: 0, stderr: "" });
    const run = await on.onlyRun("offline");
    expect(run.info.status).toBe("FAILED");
    expect(metricsOf(run)).toEqual({ m0: 1, m1: 1 });
    const key = await on.rig.track(["run", "--offline", "--resume-key", "k", "--", "true"], { env: node("a", {}) });
    expect(key).toMatchObject({ code: 125, stderr: expect.stringContaining("cannot be continued --offline") });
  });

  test("a requeued job goes on from another node, and so does a resume key", async () => {
    const job = (name: string, restarts: string) => node(name, { SLURM_JOB_ID: "13", SLURM_RESTART_COUNT: restarts });
    const run = async (name: string, restarts: string) =>
      (
        await on.rig.track(["run", "-e", "requeued", "--", "sh", "-c", "echo $TRACK_ATTEMPT; kill -TERM $$"], {
          env: job(name, restarts),
        })
      ).stdout;
    expect([await run("a", "0"), await run("b", "1"), await run("a", "2")]).toEqual(["1\n", "2\n", "3\n"]);
    expect(tagsOf(await on.onlyRun("requeued"))).toMatchObject({
      "track.attempt": "3",
      "track.attempt.2.end_reason": "terminated",
    });
    const keyed = async (name: string) =>
      (
        await on.rig.track(["run", "-e", "keyed", "--resume-key", "k", "--", "sh", "-c", "echo $TRACK_ATTEMPT"], {
          env: node(name, {}),
        })
      ).stdout;
    expect([await keyed("a"), await keyed("b")]).toEqual(["1\n", "2\n"]);
  });
});
