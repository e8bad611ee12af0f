import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openTrackingStore } from "../../src/store/open-store.ts";
import { metricsOf, paramsOf, tagsOf, TrackRig, waitFor } from "./rig.ts";

test("resume counts the attempt, keeps what the ended one had, and shows a running run meanwhile", async () => {
  await using rig = TrackRig.setup();
  const script =
    'echo "attempt $TRACK_ATTEMPT"; echo "loss=$TRACK_ATTEMPT step=$TRACK_ATTEMPT" >> $TRACK_LOG; kill -TERM $$';
  const options = ["-p", "lr=0.1", "-p", "same=1", "-t", "team=vision", "-n", "long", "-e", "digits"];
  await rig.track(["run", ...options, "--", "sh", "-c", script]);
  const first = await rig.run();
  expect(first.info.status).toBe("KILLED");
  const waiting =
    'echo "attempt $TRACK_ATTEMPT $MLFLOW_RUN_ID"; touch up; while [ ! -e go ]; do sleep 0.02; done; exit 3';
  const started = rig.start([
    "resume",
    "long",
    "-p",
    "lr=0.2",
    "-p",
    "same=1",
    "-p",
    "new=5",
    "--",
    "sh",
    "-c",
    waiting,
  ]);
  await waitFor(() => existsSync(join(rig.cwd, "up")), { what: "the second attempt runs" });
  const running = await waitFor(async () => {
    const run = await rig.run();
    return tagsOf(run)["track.process"] === undefined ? undefined : run;
  });
  expect(running.info.status).toBe("RUNNING");
  expect(running.info.endTime).toBeUndefined();
  expect(tagsOf(running)["track.exit_code"]).toBeUndefined();
  expect(tagsOf(running)["track.signal"]).toBeUndefined();
  writeFileSync(join(rig.cwd, "go"), "");
  const done = await started.finished;
  expect(done).toMatchObject({ code: 3, stdout: `attempt 2 ${first.info.runId}\n` });
  expect(done.stderr).toMatch(/^track: run long \([0-9a-f]{8}\) attempt 2 in digits -> /u);

  const run = await rig.run();
  expect(run.info).toMatchObject({ runId: first.info.runId, status: "FAILED", startTime: first.info.startTime });
  expect(run.info.endTime).toBeGreaterThan(first.info.endTime ?? Infinity);
  expect(paramsOf(run)).toEqual({ lr: "0.1", same: "1", new: "5" });
  const tags = tagsOf(run);
  expect(tags).toMatchObject({
    team: "vision",
    "track.attempt": "2",
    "track.exit_code": "3",
    "track.attempt.1.exit_code": "143",
    "track.attempt.1.signal": "SIGTERM",
    "track.attempt.1.end_reason": "terminated",
    "track.attempt.1.status": "KILLED",
    "track.attempt.1.start_time": String(first.info.startTime),
    "track.attempt.1.end_time": String(first.info.endTime),
    "track.attempt.2.param.lr": "0.2",
    "track.create_id": tagsOf(first)["track.create_id"],
    "track.command": JSON.stringify(["sh", "-c", waiting]),
  });
  for (const key of ["track.signal", "track.end_reason", "track.attempt.2.param.same", "track.attempt.2.param.new"]) {
    expect(tags[key]).toBeUndefined();
  }
  expect(Number(tags["track.attempt_start_time"])).toBeGreaterThan(first.info.startTime);
  const log = (attempt: number) => readFileSync(join(run.info.artifactUri, `console/attempt-${attempt}.log`), "utf8");
  expect(log(1)).toBe("attempt 1\n");
  expect(log(2)).toBe(done.stdout);
});

test("a third attempt keeps both", async () => {
  await using rig = TrackRig.setup();
  await rig.track(["run", "--quiet", "--", "sh", "-c", "exit $TRACK_ATTEMPT"]);
  expect((await rig.track(["resume", "@last"])).code).toBe(2);
  expect((await rig.track(["resume", "@last"])).code).toBe(3);
  expect(tagsOf(await rig.run())).toMatchObject({
    "track.attempt": "3",
    "track.exit_code": "3",
    "track.attempt.1.exit_code": "1",
    "track.attempt.2.exit_code": "2",
    "track.attempt.2.status": "FAILED",
  });
});

test("steps of the system metrics go on, and no point of the first attempt is touched", async () => {
  await using rig = TrackRig.setup();
  const key = "system/cpu_utilization_percentage";
  await rig.track(["run", "--quiet", "--", "true"]);
  await using store = await rig.openStore();
  const { runId } = (await rig.run()).info;
  const before = (await store.getMetricHistory(runId, key)).items;
  await rig.track(["resume", "--quiet", runId]);
  const after = (await store.getMetricHistory(runId, key)).items;
  expect(after.slice(0, before.length)).toEqual(before);
  expect(after.length).toBeGreaterThan(before.length);
  expect(after.map(({ step }) => step)).toEqual(after.map((_, index) => index));
});

test("without a command: the recorded one, in the recorded folder, with the recorded options", async () => {
  await using rig = TrackRig.setup();
  const inner = join(rig.cwd, "inner");
  mkdirSync(inner);
  const script =
    "/bin/pwd; echo $PWD; echo ${MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING-unset}; trap 'exit 0' TERM; [ $TRACK_ATTEMPT = 1 ] || while :; do sleep 0.02; done";
  const options = ["--quiet", "--no-system-metrics", "--timeout", "300ms", "--tracking-uri", rig.trackingUri];
  const first = await rig.track(["run", ...options, "--", "sh", "-c", script], { cwd: inner });
  expect(first).toMatchObject({ code: 0, stdout: `${inner}\n${inner}\nunset\n` });
  const again = await rig.track(["resume", "@last"]);
  expect(again).toMatchObject({ code: 124, stdout: first.stdout, stderr: "" });
  const run = await rig.run();
  expect(tagsOf(run)).toMatchObject({ "track.end_reason": "timeout", "track.cwd": inner, "track.attempt": "2" });
  expect(run.data.metrics).toEqual([]);
});

test("with a command: here, and what is typed wins over what is recorded", async () => {
  await using rig = TrackRig.setup();
  const inner = join(rig.cwd, "inner");
  mkdirSync(inner);
  const env = { MLFLOW_TRACKING_URI: rig.trackingUri };
  await rig.track(["run", "--quiet", "--timeout", "100ms", "--", "true"], { cwd: inner, env });
  const done = await rig.track(["resume", "--timeout", "50s", "@last", "--", "sh", "-c", "sleep 0.3; /bin/pwd"]);
  expect(done).toMatchObject({ code: 0, stdout: `${rig.cwd}\n`, stderr: "" });
  expect(tagsOf(await rig.run())).toMatchObject({ "track.cwd": rig.cwd });
});

test("run --run-id and MLFLOW_RUN_ID attach in the same way, whatever experiment is set", async () => {
  await using rig = TrackRig.setup();
  await rig.track(["run", "--quiet", "-e", "digits", "--", "true"]);
  const { runId, experimentId } = (await rig.run()).info;
  expect((await rig.track(["run", "--run-id", runId, "-e", "other", "--", "sh", "-c", "exit 4"])).code).toBe(4);
  const env = { MLFLOW_RUN_ID: runId, MLFLOW_EXPERIMENT_ID: "999" };
  expect((await rig.track(["run", "--", "sh", "-c", "exit 5"], { env })).code).toBe(5);
  const run = await rig.run();
  expect(run.info).toMatchObject({ runId, experimentId, status: "FAILED" });
  expect(tagsOf(run)).toMatchObject({ "track.attempt": "3", "track.attempt.2.exit_code": "4", "track.exit_code": "5" });
});

test("a run that plain MLflow made: its attempt counts as the first, nothing of it is lost", async () => {
  await using rig = TrackRig.setup();
  const { runId } = await makeForeignRun(rig);
  const none = await rig.track(["resume", "theirs"]);
  expect(none.code).toBe(125);
  expect(none.stderr).toMatch(/no recorded command\nhint: give it: track resume .* -- <command>\n$/u);
  const done = await rig.track([
    "resume",
    "theirs",
    "-p",
    "depth=4",
    "--",
    "sh",
    "-c",
    "echo loss=2 step=9 >> $TRACK_LOG",
  ]);
  expect(done.code).toBe(0);
  const run = await rig.run();
  expect(run.info).toMatchObject({ runId, status: "FINISHED", runName: "theirs", startTime: 1000 });
  expect(paramsOf(run)).toEqual({ depth: "3" });
  expect(metricsOf(run)).toEqual({ loss: 2 });
  expect(tagsOf(run)).toMatchObject({
    kept: "yes",
    "mlflow.user": "rigger",
    "mlflow.source.name": "sh",
    "track.attempt": "2",
    "track.exit_code": "0",
    "track.attempt.1.status": "FAILED",
    "track.attempt.1.start_time": "1000",
    "track.attempt.1.end_time": "2000",
    "track.attempt.1.git.commit": "abc",
    "track.attempt.2.param.depth": "4",
  });
  expect(tagsOf(run)["track.attempt.1.exit_code"]).toBeUndefined();
});

async function makeForeignRun(rig: TrackRig): Promise<{ readonly runId: string }> {
  await using store = await openTrackingStore(rig.trackingUri, { mode: "write" });
  const tags = [
    { key: "kept", value: "yes" },
    { key: "mlflow.user", value: "ada" },
    { key: "mlflow.source.name", value: "train.py" },
    { key: "mlflow.source.git.commit", value: "abc" },
  ];
  const { info } = await store.createRun({
    experimentId: "0",
    userId: "ada",
    startTime: 1000,
    runName: "theirs",
    tags,
  });
  const metrics = [{ key: "loss", value: 1, timestamp: 1500, step: 1 }];
  await store.logBatch(info.runId, { params: [{ key: "depth", value: "3" }], metrics });
  await store.updateRun(info.runId, { status: "FAILED", endTime: 2000 });
  return { runId: info.runId };
}
