import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { bin, metricsOf, paramsOf, programs, tagsOf, TrackRig, waitFor } from "./rig.ts";

describe("track run", () => {
  test("gives a training script a run with everything that it said", async () => {
    await using rig = TrackRig.setup();
    const train = join(programs, "train.py");
    const done = await rig.track([
      "run",
      "-e",
      "digits",
      "-p",
      "lr=0.01",
      "-t",
      "team=vision",
      "--",
      "python3",
      train,
      "--epochs",
      "3",
    ]);
    expect(done.code).toBe(0);
    expect(done.stdout.split("\n").filter((line) => line.startsWith("epoch "))).toHaveLength(3);
    const run = await rig.run();
    expect(done.stderr).toMatch(
      new RegExp(
        `^track: run ${run.info.runName} \\(${run.info.runId.slice(0, 8)}\\) in digits -> sqlite:///mlflow\\.db\n`,
        "u",
      ),
    );
    expect(done.stderr).toMatch(/\ntrack: FINISHED in .* \| exit 0 \| .*loss .*track show /u);
    expect(run.info.status).toBe("FINISHED");
    expect(run.info.endTime).toBeGreaterThanOrEqual(run.info.startTime);
    expect(paramsOf(run)).toEqual({ lr: "0.01", epochs: "3", seed: "0" });
    expect(Object.keys(metricsOf(run)).sort()).toEqual(["loss", "test_accuracy"]);
    const tags = tagsOf(run);
    expect(tags).toMatchObject({
      team: "vision",
      "mlflow.user": "rigger",
      "mlflow.source.name": train,
      "mlflow.source.type": "LOCAL",
      "mlflow.runName": run.info.runName,
      "track.exit_code": "0",
      "track.cwd": rig.cwd,
      "track.attempt": "1",
      "track.command": JSON.stringify(["python3", train, "--epochs", "3"]),
    });
    expect(tags["track.process"]).toBeUndefined();
    expect(tags["track.heartbeat"]).toBeUndefined();
    await using store = await rig.openStore();
    const history = await store.getMetricHistory(run.info.runId, "loss");
    expect(history.items.map((metric) => metric.step)).toEqual([1, 2, 3]);
    expect(run.data.metrics.some(({ key }) => key === "system/cpu_utilization_percentage")).toBe(true);
    expect(readFileSync(join(run.info.artifactUri, "console/attempt-1.log"), "utf8")).toBe(done.stdout);
    await waitFor(() => rig.journalNames().length === 0, { what: "the journal is gone" });
    await waitFor(() => readdirSync(join(rig.root, "run")).length === 0, { what: "the socket is gone" });
  });

  test("works without --, and passes the rest on untouched", async () => {
    await using rig = TrackRig.setup();
    const done = await rig.track([
      "run",
      "-e",
      "x",
      "sh",
      "-c",
      'printf "%s|" "$@"',
      "sh",
      "-n",
      "--",
      "-e",
      "a b",
      "",
    ]);
    expect(done.stdout).toBe("-n|--|-e|a b||");
    expect(done.code).toBe(0);
  });

  test.each([
    ["exit 3", 3, "FAILED", { "track.exit_code": "3" }],
    ["exit 130", 130, "KILLED", { "track.exit_code": "130", "track.signal": "SIGINT" }],
    ["exit 255", 255, "FAILED", { "track.exit_code": "255" }],
  ])("%s", async (script, code, status, tags) => {
    await using rig = TrackRig.setup();
    const done = await rig.track(["run", "--", "sh", "-c", script]);
    expect(done.code).toBe(code);
    const run = await rig.run();
    expect(run.info.status).toBe(status);
    expect(tagsOf(run)).toMatchObject(tags);
  });

  test.each([
    ["TERM", "KILLED", "terminated"],
    ["INT", "KILLED", "user"],
    ["KILL", "KILLED", "killed"],
    ["HUP", "KILLED", "hangup"],
    ["SEGV", "FAILED", undefined],
  ])("a command that dies of %s", async (signal, status, reason) => {
    await using rig = TrackRig.setup();
    const done = await rig.track(["run", "--", "sh", "-c", `ulimit -c 0; kill -${signal} $$`]);
    expect(done.signal).toBe(`SIG${signal}`);
    const run = await rig.run();
    expect(run.info.status).toBe(status);
    expect(tagsOf(run)["track.signal"]).toBe(`SIG${signal}`);
    expect(tagsOf(run)["track.end_reason"]).toBe(reason);
  });

  test("a command that cannot be started is a FAILED run with env's exit codes", async () => {
    await using rig = TrackRig.setup();
    const missing = await rig.track(["run", "--", "no-such-program"]);
    expect(missing.code).toBe(127);
    expect(missing.stderr).toContain("no-such-program");
    writeFileSync(join(rig.cwd, "plain"), "x");
    expect((await rig.track(["run", "--", "./plain"])).code).toBe(126);
    const runs = await rig.runs();
    expect(runs.map((run) => run.info.status)).toEqual(["FAILED", "FAILED"]);
    expect(runs.map((run) => tagsOf(run)["track.end_reason"])).toEqual(["spawn", "spawn"]);
  });

  test.each(["INT", "TERM", "HUP", "QUIT"])("passes %s on once, and says so in the run", async (signal) => {
    await using rig = TrackRig.setup();
    const script = `trap 'echo got >> seen' ${signal}; touch ready; while [ ! -e seen ]; do sleep 0.02; done; sleep 0.3; exit 7`;
    const started = rig.start(["run", "--", "sh", "-c", script]);
    await waitFor(() => existsSync(join(rig.cwd, "ready")), { what: "the command runs" });
    process.kill(started.process.pid ?? 0, `SIG${signal}`);
    expect((await started.finished).code).toBe(7);
    expect(readFileSync(join(rig.cwd, "seen"), "utf8")).toBe("got\n");
  });

  test("--timeout ends it with 124 and KILLED, whatever it then exits with", async () => {
    await using rig = TrackRig.setup();
    const done = await rig.track([
      "run",
      "--timeout",
      "300ms",
      "--",
      "sh",
      "-c",
      "trap 'exit 0' TERM; while :; do sleep 0.05; done",
    ]);
    expect(done.code).toBe(124);
    const run = await rig.run();
    expect(run.info.status).toBe("KILLED");
    expect(tagsOf(run)).toMatchObject({ "track.end_reason": "timeout", "track.exit_code": "0" });
  });

  test("--grace kills what ignores TERM", async () => {
    await using rig = TrackRig.setup();
    const done = await rig.track([
      "run",
      "--timeout",
      "200ms",
      "--grace",
      "200ms",
      "--",
      "sh",
      "-c",
      "trap '' TERM; while :; do sleep 0.05; done",
    ]);
    expect(done.code).toBe(124);
    expect(tagsOf(await rig.run())).toMatchObject({ "track.end_reason": "timeout", "track.signal": "SIGKILL" });
  });

  test("writes the run id before the command starts, and a summary at the end", async () => {
    await using rig = TrackRig.setup();
    const done = await rig.track([
      "run",
      "--run-id-file",
      "id",
      "--summary-file",
      "sum.json",
      "--",
      "sh",
      "-c",
      "cat id; exit 4",
    ]);
    const run = await rig.run();
    expect(done.stdout.trim()).toBe(run.info.runId);
    expect(JSON.parse(readFileSync(join(rig.cwd, "sum.json"), "utf8"))).toMatchObject({
      run_id: run.info.runId,
      status: "FAILED",
      exit_code: 4,
      signal: null,
      timed_out: false,
      stored: true,
    });
  });

  test("--quiet says nothing at all", async () => {
    await using rig = TrackRig.setup();
    const done = await rig.track(["run", "--quiet", "--", "sh", "-c", "echo out; echo err >&2"]);
    expect(done.stdout).toBe("out\n");
    expect(done.stderr).toBe("err\n");
    expect((await rig.run()).info.status).toBe("FINISHED");
  });

  test("stores run name, description, and the environment that MLflow knows", async () => {
    await using rig = TrackRig.setup();
    const env = { MLFLOW_EXPERIMENT_NAME: "from env", MLFLOW_RUN_CONTEXT: '{"team":"vision"}' };
    await rig.track(["run", "-n", "my name", "--description", "why", "--", "true"], { env });
    const run = await rig.run();
    expect(run.info.runName).toBe("my name");
    expect(tagsOf(run)).toMatchObject({ "mlflow.note.content": "why", team: "vision" });
    await using store = await rig.openStore();
    expect((await store.getExperiment(run.info.experimentId)).name).toBe("from env");
  });

  test("gives the command the variables of the contract", async () => {
    await using rig = TrackRig.setup();
    const done = await rig.track(["run", "-e", "x", "--", "sh", "-c", "env"]);
    const env = Object.fromEntries(done.stdout.split("\n").map((line) => line.split(/=(.*)/su).slice(0, 2)));
    const run = await rig.run();
    expect(env).toMatchObject({
      MLFLOW_RUN_ID: run.info.runId,
      TRACK_RUN_ID: run.info.runId,
      TRACK_ATTEMPT: "1",
      MLFLOW_TRACKING_URI: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/u),
      TRACK_TRACKING_URI: rig.trackingUri,
      MLFLOW_EXPERIMENT_NAME: "x",
      MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING: "false",
      MLFLOW_RUN_CONTEXT: JSON.stringify({ "mlflow.parentRunId": run.info.runId }),
    });
    expect(env["MLFLOW_EXPERIMENT_ID"]).toBeUndefined();
    expect(Object.keys(env).filter((name) => name.startsWith("_TRACK"))).toEqual([]);
    expect(Buffer.byteLength(env["TRACK_SOCKET"] ?? "")).toBeLessThan(100);
  });

  test("an inner run is a child of the outer one; --no-nested is not", async () => {
    await using rig = TrackRig.setup();
    await rig.track([
      "run",
      "-n",
      "outer",
      "--",
      "sh",
      "-c",
      "track run -n inner -- true; track run --no-nested -n alone -- true",
    ]);
    const byName = Object.fromEntries((await rig.runs()).map((run) => [run.info.runName, run]));
    const parent = (name: string) => byName[name] && tagsOf(byName[name])["mlflow.parentRunId"];
    expect(Object.keys(byName).sort()).toEqual(["alone", "inner", "outer"]);
    expect(parent("inner")).toBe(byName["outer"]?.info.runId);
    expect(parent("alone")).toBeUndefined();
    expect(parent("outer")).toBeUndefined();
  });

  test("eight at once on one new database: nothing fails, nothing is lost", async () => {
    await using rig = TrackRig.setup();
    const script = 'for i in 1 2 3 4 5; do echo "loss=$i step=$i" >> "$TRACK_LOG"; done';
    const all = await Promise.all(
      Array.from({ length: 8 }, (_, index) =>
        rig.track(["run", "-e", "race", "-p", `n=${index}`, "--", "sh", "-c", script]),
      ),
    );
    expect(all.map((done) => done.code)).toEqual(Array(8).fill(0));
    await waitFor(() => rig.journalNames().length === 0, { what: "all journals are drained" });
    const runs = await rig.runs();
    expect(new Set(runs.map((run) => paramsOf(run)["n"]))).toEqual(new Set(["0", "1", "2", "3", "4", "5", "6", "7"]));
    await using store = await rig.openStore();
    for (const run of runs) {
      expect(run.info.status).toBe("FINISHED");
      expect((await store.getMetricHistory(run.info.runId, "loss")).items).toHaveLength(5);
    }
    expect(new Set(runs.map((run) => run.info.experimentId)).size).toBe(1);
  });

  test("is the same by a link, by npx-like calls and by an absolute path from another folder", async () => {
    await using rig = TrackRig.setup();
    mkdirSync(join(rig.cwd, "bin"));
    const { symlinkSync } = await import("node:fs");
    symlinkSync(bin, join(rig.cwd, "bin/one"));
    symlinkSync("one", join(rig.cwd, "bin/two"));
    const done = await rig.spawn(join(rig.cwd, "bin/two"), ["run", "--quiet", "--", "echo", "hi"], {
      cwd: "/",
      env: { MLFLOW_TRACKING_URI: rig.trackingUri },
    }).finished;
    expect(done.stdout).toBe("hi\n");
    expect((await rig.run()).info.status).toBe("FINISHED");
  });
});
