import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { openTrackingStore } from "../../src/store/open-store.ts";
import { tagsOf, TrackRig, waitFor } from "./rig.ts";

const say = 'echo "attempt $TRACK_ATTEMPT"; ';
const slurm = (restarts: number, more: Readonly<Record<string, string>> = {}) => ({
  SLURM_JOB_ID: "4711",
  SLURM_RESTART_COUNT: restarts === 0 ? undefined : String(restarts),
  ...more,
});

describe("--resume-key", () => {
  test("the first start makes the run, later ones go on with it, another key is another run", async () => {
    await using rig = TrackRig.setup();
    const first = await rig.track(["run", "--resume-key", "digits 7", "-n", "one", "--", "sh", "-c", `${say}exit 3`]);
    expect(first).toMatchObject({ code: 3, stdout: "attempt 1\n" });
    const again = await rig.track(["run", "--resume-key", "digits 7", "-e", "other", "--", "sh", "-c", say]);
    expect(again).toMatchObject({ code: 0, stdout: "attempt 2\n" });
    expect(again.stderr).toMatch(/^track: run one \([0-9a-f]{8}\) attempt 2 in Default -> /u);
    const other = await rig.track(["run", "--resume-key", "digits 8", "--", "sh", "-c", say]);
    expect(other.stdout).toBe("attempt 1\n");
    const runs = await rig.runs();
    expect(runs).toHaveLength(2);
    const tags = tagsOf(runs.find(({ info }) => info.runName === "one") ?? (await rig.run()));
    expect(tags["track.resume_key"]).toMatch(/^[0-9a-f]{64}$/u);
    expect(tags).toMatchObject({ "track.attempt": "2", "track.attempt.1.exit_code": "3", "track.exit_code": "0" });
  });

  test("a run that is alive on this host is not taken over", async () => {
    await using rig = TrackRig.setup();
    const script = "touch up; while [ ! -e go ]; do sleep 0.02; done";
    const started = rig.start(["run", "--resume-key", "k", "--", "sh", "-c", script]);
    await waitFor(() => existsSync(join(rig.cwd, "up")));
    const { info } = await waitFor(() => rig.run());
    const second = await rig.track(["run", "--resume-key", "k", "--", "sh", "-c", "touch started"]);
    expect(second.code).toBe(125);
    expect(second.stderr).toContain(`the run of this resume key, ${info.runId}, is alive right now\nhint: `);
    expect(existsSync(join(rig.cwd, "started"))).toBe(false);
    writeFileSync(join(rig.cwd, "go"), "");
    await started.finished;
    expect(tagsOf(await rig.run())["track.attempt"]).toBe("1");
  });

  test("a run on another host is watched for a sign of life before it is taken over", async () => {
    await using rig = TrackRig.setup();
    await rig.track(["run", "--quiet", "--resume-key", "k", "--", "true"]);
    const { info } = await rig.run();
    await using store = await openTrackingStore(rig.trackingUri, { mode: "write" });
    const heard = (ageMs: number) => ({ key: "track.heartbeat", value: String(Date.now() - ageMs) });
    const place = { host: "node9", machineId: "m", bootId: "b", pidNamespace: "p" };
    await store.updateRun(info.runId, { status: "RUNNING", endTime: null });
    await store.logBatch(info.runId, { tags: [{ key: "track.process", value: JSON.stringify(place) }, heard(65_000)] });
    const refused = rig.start(["run", "--resume-key", "k", "--", "true"]);
    await waitFor(() => refused.stderr().includes("alive on node9 a moment ago: waiting"));
    await store.logBatch(info.runId, { tags: [heard(0)] });
    expect(await refused.finished).toMatchObject({ code: 125 });

    const silent = heard(73_500);
    await store.logBatch(info.runId, { tags: [silent] });
    const done = await rig.track(["run", "--resume-key", "k", "--", "sh", "-c", say]);
    expect(done).toMatchObject({ code: 0, stdout: "attempt 2\n" });
    expect(tagsOf(await rig.run())).toMatchObject({
      "track.attempt.1.status": "KILLED",
      "track.attempt.1.end_reason": "lost",
      "track.attempt.1.end_time": silent.value,
    });
  });

  test("a store that cannot be asked: one line, and a run of its own; with --strict it is a mistake", async () => {
    await using rig = TrackRig.setup();
    const uri = "http://127.0.0.1:9";
    const args = ["run", "--tracking-uri", uri, "--sync-timeout", "0", "--resume-key", "k"];
    const done = await rig.track([...args, "--", "sh", "-c", say]);
    expect(done).toMatchObject({ code: 0, stdout: "attempt 1\n" });
    expect(done.stderr).toContain(
      "whether there is a run to go on with cannot be looked up: it is recorded as a new one\n",
    );
    expect(await rig.track([...args, "--strict", "--", "true"])).toMatchObject({ code: 125 });
  });

  test("together with --run-id it is a mistake", async () => {
    await using rig = TrackRig.setup();
    const done = await rig.track(["run", "--resume-key", "k", "--run-id", "a".repeat(32), "--", "true"]);
    expect(done).toMatchObject({ code: 125 });
    expect(done.stderr).toContain("a run is named twice");
  });
});

describe("a requeued Slurm job", () => {
  test("goes on with its run after SIGTERM, step by step, array task by array task", async () => {
    await using rig = TrackRig.setup();
    const script = `${say}[ $TRACK_ATTEMPT = 2 ] && exit 0; touch up; while :; do sleep 0.02; done`;
    const start = (restarts: number) => rig.start(["run", "--", "sh", "-c", script], { env: slurm(restarts) });
    const first = start(0);
    await waitFor(() => existsSync(join(rig.cwd, "up")));
    first.process.kill("SIGTERM");
    expect(await first.finished).toMatchObject({ signal: "SIGTERM" });
    expect((await rig.run()).info.status).toBe("KILLED");
    expect(await start(1).finished).toMatchObject({ code: 0, stdout: "attempt 2\n" });
    const run = await rig.run();
    expect(run.info.status).toBe("FINISHED");
    expect(tagsOf(run)).toMatchObject({
      "track.attempt.1.end_reason": "terminated",
      "track.attempt.1.status": "KILLED",
      "track.resume_restart": "1",
    });
    const log = (attempt: number) => readFileSync(join(run.info.artifactUri, `console/attempt-${attempt}.log`), "utf8");
    expect([log(1), log(2)]).toEqual(["attempt 1\n", "attempt 2\n"]);
    const task = slurm(1, { SLURM_ARRAY_JOB_ID: "4711", SLURM_ARRAY_TASK_ID: "2" });
    await rig.track(["run", "--quiet", "--", "sh", "-c", "exit 0"], { env: task });
    expect(await rig.runs()).toHaveLength(2);
  });

  test("two commands of one script stay two runs, and the same words said twice go on in their order", async () => {
    await using rig = TrackRig.setup();
    const script = rig.script(
      "job.sh",
      "for n in 1 2; do N=$n track run -n same-$n -- sh -c 'echo $N $TRACK_ATTEMPT'; done; track run -- sh -c 'echo other $TRACK_ATTEMPT'",
    );
    const job = async (restarts: number) => (await rig.spawn("sh", [script], { env: slurm(restarts) }).finished).stdout;
    expect(await job(0)).toBe("1 1\n2 1\nother 1\n");
    expect(await job(1)).toBe("1 2\n2 2\nother 2\n");
    expect(await job(2)).toBe("1 3\n2 3\nother 3\n");
    const runs = await rig.runs();
    expect(runs).toHaveLength(3);
    // A third call of the same restart has no run to go on with.
    const more = await rig.track(["run", "--", "sh", "-c", "echo other $TRACK_ATTEMPT"], { env: slurm(2) });
    expect(more.stdout).toBe("other 1\n");
  });

  test("that is still alive is told, and not taken over", async () => {
    await using rig = TrackRig.setup();
    const script = "touch up$TRACK_ATTEMPT; while [ ! -e go ]; do sleep 0.02; done";
    const started = rig.start(["run", "--", "sh", "-c", script], { env: slurm(0) });
    await waitFor(() => existsSync(join(rig.cwd, "up1")));
    const { info } = await waitFor(() => rig.run());
    writeFileSync(join(rig.cwd, "go"), "");
    const held = rig.script("held.sh", "while [ ! -e end ]; do sleep 0.02; done");
    expect((await started.finished).code).toBe(0);
    const alive = rig.start(["run", "--run-id", info.runId, "--", "sh", held], { env: slurm(0) });
    await waitFor(async () => (await rig.run()).info.status === "RUNNING");
    const second = await rig.track(["run", "--", "sh", "-c", script], { env: slurm(1) });
    expect(second.code).toBe(0);
    expect(second.stderr).toContain(`the run of this job (${info.runId.slice(0, 8)}) is alive`);
    writeFileSync(join(rig.cwd, "end"), "");
    await alive.finished;
    expect(await rig.runs()).toHaveLength(2);
  });
});
