import { readdirSync, readFileSync, symlinkSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { metricsOf, type Finished, installed, tagsOf, TrackRig, waitFor } from "../e2e/rig.ts";
import { describeIf, isFull, onlyFull } from "../only-if.ts";
import { type UnpackedPackages, unpackDebian } from "./debian-packages.ts";
import { makeFolder, removeFolder } from "./interop-folder.ts";
import { isInstalled, torchMlflow, venvProgram } from "./mlflow-versions.ts";
import { SlurmCluster, slurmPackages } from "./slurm-cluster.ts";

const rankScript = join(import.meta.dirname, "python/rank_script.py");
const torchScript = join(import.meta.dirname, "python/torch_script.py");
const ranks = [0, 1, 2, 3];
const metricsOfAll = { m0: 0, m1: 1, m2: 2, m3: 3 };

let rig: TrackRig;
beforeEach(() => {
  rig = TrackRig.setup();
});
afterEach(() => rig[Symbol.asyncDispose]());

/** In the rig's environment and folder. */
const launch = (program: string, args: readonly string[], env: Readonly<Record<string, string>>): Promise<Finished> =>
  rig.spawn(program, args, { env: { ...env, PATH: `${join(installed, "bin")}:${rig.env["PATH"]}` } }).finished;
const drained = () =>
  waitFor(
    async () => {
      await rig.track(["ls"]);
      return rig.journalNames().length === 0;
    },
    { timeoutMs: 60_000, what: "the journals are gone" },
  );
const logsOf = async (): Promise<readonly string[]> => {
  const { info } = await rig.run();
  return readdirSync(join(info.artifactUri, "console")).toSorted();
};
const rankLogs = ["attempt-1-rank-1.log", "attempt-1-rank-2.log", "attempt-1-rank-3.log", "attempt-1.log"];

describeIf(isFull, onlyFull)("mpirun", () => {
  let folder: string;
  let openMpi: UnpackedPackages | undefined;
  beforeAll(() => {
    folder = makeFolder();
    openMpi = unpackDebian(["openmpi-bin"], folder);
    // As the package's own scripts name it.
    if (openMpi !== undefined) symlinkSync("mpirun.openmpi", join(openMpi.root, "usr/bin/mpirun"));
  });
  afterAll(() => removeFolder(folder));

  const env = () => ({
    OPAL_PREFIX: join(openMpi?.root ?? "", "usr"),
    LD_LIBRARY_PATH: openMpi?.libraries ?? "",
    OMPI_ALLOW_RUN_AS_ROOT: "1",
    OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: "1",
    PMIX_MCA_pcompress_base_silence_warning: "1",
  });
  const program = () => join(openMpi?.root ?? "", "usr/bin/mpirun");
  const four = ["--oversubscribe", "-np", "4"];

  test("around track run: four ranks have one run", async ({ skip }) => {
    if (openMpi === undefined) return skip();
    const words = ["track", "run", "--rank", "auto", "--", "python3", rankScript];
    const { code, stderr } = await launch(program(), [...four, ...words], env());
    expect(code, stderr).toBe(0);
    await drained();
    const run = await rig.run();
    expect(run.info.status).toBe("FINISHED");
    expect(metricsOf(run)).toEqual(metricsOfAll);
    expect(await logsOf()).toEqual(rankLogs);
    expect(stderr.match(/FINISHED in/gu)).toHaveLength(1);
  });

  test("around track run: a rank that fails, of which mpirun ends the others, makes the run FAILED", async ({
    skip,
  }) => {
    if (openMpi === undefined) return skip();
    const words = ["track", "run", "--rank", "auto", "--", "python3", rankScript, "--failing", "2"];
    const { code } = await launch(program(), [...four, ...words], env());
    expect(code).toBe(5);
    await drained();
    const run = await rig.run();
    expect(run.info.status).toBe("FAILED");
    expect(tagsOf(run)).toMatchObject({ "track.rank.2.exit_code": "5", "track.rank.2.status": "FAILED" });
  });

  test("inside track run: one run, to which every rank can log", async ({ skip }) => {
    if (openMpi === undefined) return skip();
    const inside = (...more: string[]) =>
      launch("track", ["run", "--", program(), ...four, "python3", rankScript, ...more], env());
    const { code, stderr } = await inside();
    expect(code, stderr).toBe(0);
    expect(stderr).toContain("mpirun starts its processes elsewhere");
    const run = await rig.run();
    expect(run.info.status).toBe("FINISHED");
    expect(metricsOf(run)).toEqual(metricsOfAll);
    const log = readFileSync(join(run.info.artifactUri, "console/attempt-1.log"), "utf8");
    expect(log.trim().split("\n").toSorted()).toEqual(ranks.map((rank) => `rank ${rank} of ${run.info.runId}`));
    expect((await inside("--failing", "3")).code).toBe(5);
    expect((await rig.runs()).map(({ info }) => info.status)).toEqual(["FAILED", "FINISHED"]);
  });
});

describeIf(isFull, onlyFull)("Slurm", () => {
  let folder: string;
  let slurm: SlurmCluster | undefined;
  beforeAll(async () => {
    folder = makeFolder();
    const packages = unpackDebian(slurmPackages, join(folder, "packages"));
    slurm = packages && (await SlurmCluster.start(packages, folder));
  });
  afterAll(async () => {
    await slurm?.[Symbol.asyncDispose]();
    removeFolder(folder);
  });

  const srun = (cluster: SlurmCluster, ...words: string[]) =>
    launch(join(cluster.bin, "srun"), ["--ntasks=4", "--overcommit", ...words], cluster.env);
  const words = ["track", "run", "--", "python3", rankScript];

  test("srun around track run: four ranks have one run; one that fails makes it FAILED", async ({ skip }) => {
    if (slurm === undefined) return skip();
    const { code, stderr } = await srun(slurm, ...words);
    expect(code, stderr).toBe(0);
    await drained();
    const run = await rig.run();
    expect(run.info.status).toBe("FINISHED");
    expect(metricsOf(run)).toEqual(metricsOfAll);
    expect(await logsOf()).toEqual(rankLogs);
    const failed = await srun(slurm, ...words, "--failing", "2");
    expect(failed.code).toBe(5);
    await drained();
    const [second, first] = await rig.runs();
    expect([second?.info.status, first?.info.status]).toEqual(["FAILED", "FINISHED"]);
    expect(second && tagsOf(second)).toMatchObject({ "track.exit_code": "0", "track.rank.2.exit_code": "5" });
  });

  test("a requeued array: each task goes on as its run's next attempt, two commands of one script stay two", async ({
    skip,
  }) => {
    if (slurm === undefined) return skip();
    const script = rig.script(
      "job.sh",
      [
        "#!/bin/sh",
        'track run -n "first $SLURM_ARRAY_TASK_ID" -- sh -c \'echo "a=$TRACK_ATTEMPT step=$TRACK_ATTEMPT" >> "$TRACK_LOG"\'',
        'if [ "${SLURM_RESTART_COUNT:-0}" = 0 ]; then',
        '  scontrol requeue "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID"; sleep 600; exit',
        "fi",
        'track run -n "second $SLURM_ARRAY_TASK_ID" -- true',
        'touch "done$SLURM_ARRAY_TASK_ID"',
      ].join("\n"),
    );
    const env = { ...slurm.env, PATH: `${join(installed, "bin")}:${slurm.bin}:${rig.env["PATH"]}` };
    const args = ["--array=0-1", "--requeue", "--overcommit", script];
    const sent = await rig.spawn(join(slurm.bin, "sbatch"), args, { env }).finished;
    expect(sent.code, sent.stderr).toBe(0);
    const isDone = () => readdirSync(rig.cwd).filter((name) => name.startsWith("done")).length === 2;
    await waitFor(isDone, { timeoutMs: 240_000, what: "both tasks have run twice" });
    await drained();
    const runs = await rig.runs();
    const attempts = runs.map((run) => `${run.info.runName}: ${tagsOf(run)["track.attempt"]} ${run.info.status}`);
    expect(attempts.toSorted()).toEqual([
      "first 0: 2 FINISHED",
      "first 1: 2 FINISHED",
      "second 0: 1 FINISHED",
      "second 1: 1 FINISHED",
    ]);
    const first = runs.find(({ info }) => info.runName === "first 0");
    expect(first && tagsOf(first)["track.host"]).toBe(hostname());
    await using store = await rig.openStore();
    const { items } = await store.getMetricHistory(first?.info.runId ?? "", "a");
    expect(items.map(({ value }) => value)).toEqual([1, 2]);
  });
});

describeIf(isFull && isInstalled(torchMlflow), onlyFull)("torchrun", () => {
  const torchrun = venvProgram(torchMlflow, "torchrun");
  const two = ["--standalone", "--nproc-per-node", "2"];
  const env = { OMP_NUM_THREADS: "1" };
  const python = venvProgram(torchMlflow, "python");

  test("around track run: its workers meet, and have one run", async () => {
    const words = ["--no-python", "track", "run", "--rank", "auto", "--", python, torchScript];
    const { code, stderr } = await launch(torchrun, [...two, ...words], env);
    expect(code, stderr).toBe(0);
    await drained();
    const run = await rig.run();
    expect(run.info.status).toBe("FINISHED");
    expect(metricsOf(run)).toEqual({ sum0: 3, sum1: 3 });
  });

  test("inside track run: one run", async () => {
    const { code, stderr } = await launch("track", ["run", "--", torchrun, ...two, torchScript], env);
    expect(code, stderr).toBe(0);
    const run = await rig.run();
    expect(run.info.status).toBe("FINISHED");
    expect(metricsOf(run)).toEqual({ sum0: 3, sum1: 3 });
  });
});
