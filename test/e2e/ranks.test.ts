import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { metricsOf, paramsOf, type Started, tagsOf, TrackRig, waitFor } from "./rig.ts";

type Variables = Readonly<Record<string, string>>;

const srun = (rank: number, size: number, more: Variables = {}): Variables => ({
  SLURM_JOB_ID: "4711",
  SLURM_STEP_ID: "0",
  SLURM_PROCID: String(rank),
  SLURM_NTASKS: String(size),
  SLURM_LOCALID: String(rank),
  SLURM_NNODES: "1",
  ...more,
});

const torchrun = (rank: number, size: number): Variables => ({
  RANK: String(rank),
  WORLD_SIZE: String(size),
  LOCAL_RANK: String(rank),
  LOCAL_WORLD_SIZE: String(size),
  TORCHELASTIC_RUN_ID: "e1",
  MASTER_ADDR: "127.0.0.1",
  MASTER_PORT: "29500",
});

const mpirun = (rank: number, size: number): Variables => ({
  OMPI_COMM_WORLD_RANK: String(rank),
  OMPI_COMM_WORLD_SIZE: String(size),
  OMPI_COMM_WORLD_LOCAL_RANK: String(rank),
  OMPI_COMM_WORLD_LOCAL_SIZE: String(size),
  PMIX_NAMESPACE: "prterun-1@1",
});

const said = 'echo "rank $R of $MLFLOW_RUN_ID"; echo "m$R=$R" >> $TRACK_LOG; ';
const start = (rig: TrackRig, env: Variables, script: string, options: readonly string[] = []): Started => {
  const R = env["SLURM_PROCID"] ?? env["RANK"] ?? env["OMPI_COMM_WORLD_RANK"] ?? "";
  return rig.start(["run", ...options, "--", "sh", "-c", script], { env: { ...env, R } });
};

/** All journals of the rig are drained and gone. */
const drained = (rig: TrackRig): Promise<unknown> =>
  waitFor(() => rig.journalNames().length === 0, { what: "the journals are gone" });

describe.each([
  { name: "srun", variables: srun },
  { name: "torchrun", variables: torchrun },
  { name: "mpirun", variables: mpirun },
])("under $name", ({ variables }) => {
  test("four ranks have one run, each its own log, whoever starts first", async () => {
    await using rig = TrackRig.setup();
    const options = ["-p", "lr=0.1", "-t", "team=vision", "-n", "group"];
    const started = [3, 2, 1, 0].map((rank) => start(rig, variables(rank, 4), said, options));
    const done = await Promise.all(started.map(({ finished }) => finished));
    expect(done.map(({ code }) => code)).toEqual([0, 0, 0, 0]);
    await drained(rig);
    const run = await rig.run();
    expect(run.info).toMatchObject({ status: "FINISHED", runName: "group" });
    expect(metricsOf(run)).toEqual({ m0: 0, m1: 1, m2: 2, m3: 3 });
    expect(paramsOf(run)).toEqual({ lr: "0.1" });
    expect(tagsOf(run)).toMatchObject({ team: "vision", "track.exit_code": "0", "track.attempt": "1" });
    expect(tagsOf(run)["track.rank_group"]).toMatch(/^[0-9a-f]{64}$/u);
    const logs = readdirSync(join(run.info.artifactUri, "console")).toSorted();
    expect(logs).toEqual(["attempt-1-rank-1.log", "attempt-1-rank-2.log", "attempt-1-rank-3.log", "attempt-1.log"]);
    // Rank 0 alone speaks.
    expect(done.map(({ stderr }) => stderr === "")).toEqual([true, true, true, false]);
    // Whoever found the run in time has its id.
    expect(done[3]?.stdout).toBe(`rank 0 of ${run.info.runId}\n`);
    const log = readFileSync(join(run.info.artifactUri, "console/attempt-1-rank-3.log"), "utf8");
    expect(log).toBe(done[0]?.stdout);
    const names = run.data.metrics.map(({ key }) => key).filter((key) => key.startsWith("system/cpu"));
    expect(names).toEqual(["system/cpu_utilization_percentage"]);
  });
});

describe("ranks", () => {
  test("that come long before rank 0 start under an id of their own, which is mapped to the run", async () => {
    await using rig = TrackRig.setup();
    const script = `${said}[ $R = 0 ] && exit; touch up; while [ ! -e go ]; do sleep 0.02; done`;
    const early = start(rig, srun(1, 2), script);
    await waitFor(() => existsSync(join(rig.cwd, "up")), { what: "rank 1 runs without rank 0" });
    await waitFor(() => early.stdout() !== "", { what: "its output has come through" });
    expect(early.stdout()).toMatch(/^rank 1 of [0-9a-f]{32}\n$/u);
    const first = await start(rig, srun(0, 2), script).finished;
    writeFileSync(join(rig.cwd, "go"), "");
    expect((await early.finished).code).toBe(0);
    await drained(rig);
    const run = await rig.run();
    expect(first.stdout).toContain(run.info.runId);
    expect(early.stdout()).not.toContain(run.info.runId);
    expect(metricsOf(run)).toEqual({ m0: 0, m1: 1 });
    expect(readFileSync(join(run.info.artifactUri, "console/attempt-1-rank-1.log"), "utf8")).toBe(early.stdout());
  });

  test("that say other values of a param lose none of them", async () => {
    await using rig = TrackRig.setup();
    const script = `while [ $R = 0 -a ! -e go ]; do sleep 0.02; done; echo "param.device=gpu$R loss=$R" >> $TRACK_LOG`;
    const first = start(rig, srun(0, 2), script);
    await waitFor(() => rig.run(), { what: "the run is there" });
    const second = await start(rig, srun(1, 2), script).finished;
    writeFileSync(join(rig.cwd, "go"), "");
    const { stderr } = await first.finished;
    await drained(rig);
    const run = await rig.run();
    expect(paramsOf(run)).toEqual({ device: "gpu1" });
    expect(tagsOf(run)).toMatchObject({ "track.attempt.1.param.device": "gpu0" });
    expect(second.stderr).toBe("");
    expect(stderr).toContain("param device is gpu1 already; gpu0 is kept as tag track.attempt.1.param.device\n");
  });

  test("that have found the run give its id to their command", async () => {
    await using rig = TrackRig.setup();
    const script = `${said}echo "$TRACK_ATTEMPT"; while [ $R = 0 -a ! -e go ]; do sleep 0.02; done`;
    const first = start(rig, srun(0, 2), script);
    const { info } = await waitFor(() => rig.run());
    const second = await start(rig, srun(1, 2), script).finished;
    expect(second.stdout).toBe(`rank 1 of ${info.runId}\n1\n`);
    writeFileSync(join(rig.cwd, "go"), "");
    await first.finished;
  });

  test.each([
    { when: "before rank 0 ends", isLast: false },
    { when: "after rank 0 has ended", isLast: true },
  ])("one that fails $when makes the run FAILED", async ({ isLast }) => {
    await using rig = TrackRig.setup();
    const waiting = isLast ? 1 : 0;
    const until = (file: string) => `while [ ! -e ${file} ]; do sleep 0.02; done`;
    const script = `touch up$R; ${until("up1")}; [ $R != ${waiting} ] || ${until("go")}; [ $R = 0 ] || exit 7`;
    const first = start(rig, srun(0, 2), script);
    await waitFor(() => rig.run());
    const second = start(rig, srun(1, 2), script);
    const sooner = isLast ? first : second;
    await sooner.finished;
    if (isLast) expect((await rig.run()).info.status).toBe("FINISHED");
    writeFileSync(join(rig.cwd, "go"), "");
    expect((await first.finished).code).toBe(0);
    const failed = await second.finished;
    expect(failed.code).toBe(7);
    expect(failed.stderr).toMatch(/^track: rank 1: FAILED in .* exit 7 /u);
    const run = await waitFor(async () => {
      const found = await rig.run();
      return found.info.status === "FAILED" ? found : undefined;
    });
    expect(tagsOf(run)).toMatchObject({
      "track.exit_code": "0",
      "track.rank.1.exit_code": "7",
      "track.rank.1.status": "FAILED",
    });
    expect(run.info.endTime).toBeGreaterThan(run.info.startTime);
    await drained(rig);
  });

  test("one that is killed makes the run KILLED where rank 0 ended well", async () => {
    await using rig = TrackRig.setup();
    const script = "[ $R = 0 ] || kill -9 $$; while [ ! -e go ]; do sleep 0.02; done";
    const first = start(rig, srun(0, 2), script);
    await waitFor(() => rig.run());
    const second = start(rig, srun(1, 2), script);
    await second.finished;
    writeFileSync(join(rig.cwd, "go"), "");
    expect((await first.finished).code).toBe(0);
    const run = await rig.run();
    expect(run.info.status).toBe("KILLED");
    expect(tagsOf(run)).toMatchObject({ "track.rank.1.signal": "SIGKILL", "track.rank.1.end_reason": "killed" });
  });

  test("of a requeued job: the next attempt, without what the ended one's ranks had", async () => {
    await using rig = TrackRig.setup();
    const ranks = async (restart: number, script: string) => {
      const more: Variables = restart === 0 ? {} : { SLURM_RESTART_COUNT: String(restart) };
      const started = [1, 0].map((rank) => start(rig, srun(rank, 2, more), script));
      await Promise.all(started.map(({ finished }) => finished));
      await drained(rig);
      return await rig.run();
    };
    const up = (rank: number) => `up$SLURM_RESTART_COUNT-${rank}`;
    const both = `touch up$SLURM_RESTART_COUNT-$R; while [ ! -e ${up(0)} -o ! -e ${up(1)} ]; do sleep 0.02; done`;
    const script = `${both}; [ $TRACK_ATTEMPT = 2 ] || exit $R`;
    expect((await ranks(0, script)).info.status).toBe("FAILED");
    const run = await ranks(1, script);
    expect(run.info.status).toBe("FINISHED");
    expect(tagsOf(run)["track.rank.1.exit_code"]).toBeUndefined();
    expect(tagsOf(run)).toMatchObject({
      "track.attempt": "2",
      "track.attempt.1.rank.1.exit_code": "1",
      "track.attempt.1.status": "FAILED",
    });
  });

  test("on two nodes: each node is sampled once, under its name", async () => {
    await using rig = TrackRig.setup();
    const node = (rank: number): Variables =>
      srun(rank, 4, { SLURM_NNODES: "2", SLURM_LOCALID: String(rank % 2), SLURMD_NODENAME: `n${rank < 2 ? 1 : 2}` });
    const script = "touch up$R; while [ ! -e up0 -o ! -e up1 -o ! -e up2 -o ! -e up3 ]; do sleep 0.02; done";
    const started = [0, 1, 2, 3].map((rank) => start(rig, node(rank), script));
    await Promise.all(started.map(({ finished }) => finished));
    await drained(rig);
    const run = await rig.run();
    const keys = run.data.metrics.map(({ key }) => key).filter((key) => key.endsWith("/cpu_utilization_percentage"));
    expect(keys.toSorted()).toEqual(["system/n1/cpu_utilization_percentage", "system/n2/cpu_utilization_percentage"]);
    await using store = await rig.openStore();
    for (const key of keys) {
      const { items } = await store.getMetricHistory(run.info.runId, key);
      expect(items.map(({ step }) => step)).toEqual(items.map((_, index) => index));
    }
  });

  test("with other words in one step are other runs; an option that names the rank is no other word", async () => {
    await using rig = TrackRig.setup();
    const run = (rank: number, args: readonly string[]) =>
      rig.track(["run", "--", "sh", "-c", "echo; sleep 1", ...args], { env: srun(rank, 2) });
    for (const args of [
      ["--seed", "1"],
      ["--seed", "2"],
    ]) {
      await Promise.all([0, 1].map((rank) => run(rank, [...args, "--local-rank", String(rank), `host=n${rank}`])));
    }
    await drained(rig);
    const runs = await rig.runs();
    expect(runs).toHaveLength(2);
    for (const { info } of runs) {
      const logs = readdirSync(join(info.artifactUri, "console")).toSorted();
      expect(logs).toEqual(["attempt-1-rank-1.log", "attempt-1.log"]);
    }
  });

  test("--rank off and a batch script itself: runs of their own; --rank <n> joins by a given key", async () => {
    await using rig = TrackRig.setup();
    const { SLURM_STEP_ID: _step, ...batch } = srun(0, 8);
    await rig.track(["run", "--quiet", "--", "true"], { env: batch });
    await start(rig, srun(1, 2), "exit 0", ["--rank", "off"]).finished;
    const runs = await rig.runs();
    expect(runs).toHaveLength(2);
    for (const run of runs) expect(tagsOf(run)["track.rank_group"]).toBeUndefined();

    const lonely = await rig.track(["run", "--rank", "3", "--", "true"]);
    expect(lonely).toMatchObject({ code: 125 });
    expect(lonely.stderr).toContain("nothing tells which job rank 3 belongs to\nhint: give all ranks");
    const ranks = [0, 1].map((rank) => rig.track(["run", "--rank", String(rank), "--resume-key", "k", "--", "true"]));
    await Promise.all(ranks);
    await drained(rig);
    expect(await rig.runs()).toHaveLength(3);
  });

  test("whose rank 0 never comes: the command is unharmed, its journal waits, and one line says so", async () => {
    await using rig = TrackRig.setup();
    const script = `${said}[ $R = 0 ] || exit 4`;
    const done = await start(rig, srun(1, 2), script, ["--sync-timeout", "1s"]).finished;
    expect(done.code).toBe(4);
    expect(done.stderr).toContain("not all is stored yet: track sync goes on");
    expect(rig.journalNames()).toHaveLength(1);
    const listed = await rig.track(["ls"]);
    expect(listed.code).toBe(0);
    // Rank 0 at last: the journal of rank 1 goes home with it.
    await start(rig, srun(0, 2), script).finished;
    await waitFor(async () => {
      await rig.track(["ls"]);
      return rig.journalNames().length === 0;
    });
    const run = await rig.run();
    expect(run.info.status).toBe("FAILED");
    expect(metricsOf(run)).toEqual({ m0: 0, m1: 1 });
  });
});
