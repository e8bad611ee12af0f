import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openArtifactRepository } from "../../src/artifacts/open-artifact-repository.ts";
import { plainAccess } from "../../src/entities/server-access.ts";
import { openTrackingStore } from "../../src/store/open-store.ts";
import type { Run } from "../../src/entities/run.ts";
import { type Finished, metricsOf, paramsOf, processesIn, tagsOf, waitFor } from "../e2e/rig.ts";
import { newestMlflow } from "./mlflow-versions.ts";
import { serveRigs } from "./served.ts";
import { describeWith } from "./with-mlflow.ts";

describeWith(newestMlflow)("track run with a tracking server", () => {
  const on = serveRigs("e");

  const env = () => ({ MLFLOW_TRACKING_URI: on.proxy.url, MLFLOW_EXPERIMENT_NAME: on.experiment });
  const track = (...args: string[]): Promise<Finished> => on.rig.track(args, { env: env() });
  const shell = (text: string, ...options: string[]) => track("run", ...options, "--", "sh", "-c", text);

  const artifactsOf = (run: Run) =>
    openArtifactRepository(run.info.artifactUri, { access: plainAccess(on.server.url) });

  test("everything said is on the server, under the id that the command was given", async () => {
    const script = [
      'echo "loss=0.5 step=3" >> "$TRACK_LOG"',
      "track log param depth=3",
      "mkdir out && echo weights > out/model.bin && track log artifact out",
      'printf \'{"run_id":"%s","tags":{"by":"id"}}\\n\' "$TRACK_RUN_ID" | track log batch -',
      'echo "$TRACK_RUN_ID $MLFLOW_RUN_ID"',
    ].join("\n");
    const options = ["-p", "lr=0.1", "--run-id-file", "id", "--summary-file", "summary"];
    const { code, stdout, stderr } = await shell(script, ...options);
    const run = await on.onlyRun();
    const { runId } = run.info;
    expect({ code, stdout }).toEqual({ code: 0, stdout: `${runId} ${runId}\n` });
    expect(run.info).toMatchObject({ status: "FINISHED", userId: "rigger" });
    expect(paramsOf(run)).toEqual({ lr: "0.1", depth: "3" });
    expect(metricsOf(run)).toEqual({ loss: 0.5 });
    expect(tagsOf(run)).toMatchObject({ by: "id", "track.exit_code": "0", "track.attempt": "1" });
    expect((await artifactsOf(run).listArtifacts("out")).map(({ path }) => path)).toEqual(["out/model.bin"]);
    await artifactsOf(run).downloadArtifact("console/attempt-1.log", join(on.rig.cwd, "log"));
    expect(readFileSync(join(on.rig.cwd, "log"), "utf8")).toBe(stdout);
    expect(readFileSync(join(on.rig.cwd, "id"), "utf8")).toBe(`${runId}\n`);
    expect(JSON.parse(readFileSync(join(on.rig.cwd, "summary"), "utf8"))).toMatchObject({
      run_id: runId,
      stored: true,
    });
    expect(stderr).toContain(`(${runId.slice(0, 8)}) in ${on.experiment} -> ${on.proxy.url}\n`);
    expect(stderr).toContain(`track show ${runId.slice(0, 8)}\n`);
    await waitFor(() => on.rig.journalNames().length === 0);
  });

  test("the other commands work on it", async () => {
    await shell("echo out; exit 3", "-n", "first", "-p", "lr=0.1", "-p", "depth=3");
    const { runId } = (await on.onlyRun()).info;
    const short = runId.slice(0, 8);
    expect((await track("ls", "--experiment", on.experiment)).stdout).toContain("first\tFAILED");
    expect((await track("show", short)).stdout).toContain("artifact\tconsole/attempt-1.log");
    expect((await track("logs", short)).stdout).toBe("out\n");
    writeFileSync(join(on.rig.cwd, "late.txt"), "late");
    expect(await track("log", "artifact", "late.txt", "--run", "first")).toMatchObject({ code: 0, stderr: "" });
    expect(await track("log", "metric", "late=1", "--run", short)).toMatchObject({ code: 0, stderr: "" });
    expect(await track("rm", short)).toMatchObject({ code: 0 });
    expect((await on.onlyRun()).info.lifecycleStage).toBe("deleted");
    expect(await track("run", "--run-id", runId, "--", "true")).toMatchObject({ code: 125 });
    expect(await track("restore", short)).toMatchObject({ code: 0 });
    const resumed = await track("resume", "-p", "lr=0.2", "-p", "depth=3", short, "--", "true");
    expect(resumed).toMatchObject({ code: 0 });
    const run = await on.onlyRun();
    expect(run.info.status).toBe("FINISHED");
    expect(tagsOf(run)).toMatchObject({ "track.attempt": "2", "track.attempt.1.exit_code": "3" });
    expect(paramsOf(run)).toEqual({ lr: "0.1", depth: "3" });
    expect(tagsOf(run)).toMatchObject({ "track.attempt.2.param.lr": "0.2" });
    expect(tagsOf(run)).not.toHaveProperty(["track.attempt.2.param.depth"]);
    expect(metricsOf(run)).toEqual({ late: 1 });
    expect((await artifactsOf(run).listArtifacts()).map(({ path }) => path)).toContain("late.txt");
    expect((await track("experiments", "create", `${on.experiment}-b`)).stdout).toMatch(/^\d+\n$/u);
    expect(await track("experiments", "rename", `${on.experiment}-b`, `${on.experiment}-c`)).toMatchObject({ code: 0 });
    expect(await track("experiments", "delete", `${on.experiment}-c`)).toMatchObject({ code: 0 });
    expect(await track("run", "-e", `${on.experiment}-c`, "--", "true")).toMatchObject({ code: 125 });
  });

  test("the console log goes up while the run lives, for whoever looks from elsewhere", async () => {
    const script = "echo first words; while [ ! -e go ]; do sleep 0.05; done; echo last words";
    const started = on.rig.start(["run", "--", "sh", "-c", script], { env: env() });
    const elsewhere = { ...env(), XDG_STATE_HOME: join(on.rig.root, "elsewhere") };
    const seen = await waitFor(
      async () => {
        const run = await on.onlyRun();
        const logs = await on.rig.track(["logs", run.info.runId], { env: elsewhere });
        return logs.stdout === "" ? undefined : { status: run.info.status, text: logs.stdout };
      },
      { timeoutMs: 40_000 },
    );
    expect(seen).toEqual({ status: "RUNNING", text: "first words\n" });
    writeFileSync(join(on.rig.cwd, "go"), "");
    expect((await started.finished).code).toBe(0);
    const run = await on.onlyRun();
    expect((await on.rig.track(["logs", run.info.runId], { env: elsewhere })).stdout).toBe("first words\nlast words\n");
    await waitFor(() => on.rig.journalNames().length === 0);
  });

  test("a param that the server got from elsewhere is kept, and so is what was said here", async () => {
    const script = "touch up; while [ ! -e on ]; do sleep 0.05; done; track log param lr=0.2 depth=3";
    const started = on.rig.start(["run", "--", "sh", "-c", script], { env: env() });
    await waitFor(() => existsSync(join(on.rig.cwd, "up")));
    const { runId } = (await on.onlyRun()).info;
    await on.server.post("runs/log-parameter", { run_id: runId, key: "lr", value: "0.1" });
    writeFileSync(join(on.rig.cwd, "on"), "");
    const { code, stderr } = await started.finished;
    expect(code).toBe(0);
    const run = await on.onlyRun();
    expect(paramsOf(run)).toEqual({ lr: "0.1", depth: "3" });
    expect(tagsOf(run)).toMatchObject({ "track.attempt.1.param.lr": "0.2" });
    expect(stderr).toContain("param lr is 0.1 already; 0.2 is kept as tag track.attempt.1.param.lr\n");
    expect(stderr).not.toContain("refused");
  });

  test("a server that is away at the start delays nothing, and gets the run later", async () => {
    await on.proxy.always({ kind: "refuse" });
    const away = await shell('echo "loss=1" >> "$TRACK_LOG"; echo hi', "--sync-timeout", "500ms");
    expect(away).toMatchObject({ code: 0, stdout: "hi\n" });
    expect(away.stderr).toContain("recording goes on");
    expect(await track("run", "--strict", "--", "echo", "no")).toMatchObject({ code: 125, stdout: "" });
    await waitFor(() => processesIn(on.rig.root).length === 0);
    await on.proxy.always();
    await track("ls");
    const run = await on.onlyRun();
    expect(run.info.status).toBe("FINISHED");
    expect(metricsOf(run)).toEqual({ loss: 1 });
    expect(on.rig.journalNames()).toEqual([]);
  });

  test("a server that takes the connection and says nothing holds the start up for 2 s", async () => {
    await on.proxy.always({ kind: "hang" });
    const silent = await shell("date +%s%N", "--sync-timeout", "100ms", "--summary-file", "summary");
    const { start_time: startTime } = JSON.parse(readFileSync(join(on.rig.cwd, "summary"), "utf8")) as {
      start_time: number;
    };
    expect(silent.code).toBe(0);
    expect(Number(silent.stdout) / 1e6 - startTime).toBeLessThan(1500);
    expect(silent.durationMs).toBeLessThan(6000);
    await waitFor(() => processesIn(on.rig.root).length === 0, { timeoutMs: 20_000 });
    await on.proxy.always();
    await track("ls");
    expect((await on.onlyRun()).info.status).toBe("FINISHED");
  });

  test.each([
    ["is away", { kind: "refuse" }],
    ["resets", { kind: "reset" }],
    ["answers 500", { kind: "status", status: 500, body: "oops" }],
    ["cuts its answers", { kind: "cut", afterBytes: 0 }],
  ] as const)("when it %s in the middle, each point arrives once", async (_title, fault) => {
    const script = [
      'for i in $(seq 1 100); do echo "loss=$i step=$i"; done >> "$TRACK_LOG"',
      "touch half; while [ ! -e on ]; do sleep 0.05; done",
      'for i in $(seq 101 200); do echo "loss=$i step=$i"; done >> "$TRACK_LOG"',
    ].join("\n");
    const started = on.rig.start(["run", "--", "sh", "-c", script], { env: env() });
    await waitFor(() => readFileSync(join(on.rig.cwd, "half"), "utf8") === "");
    await on.proxy.always(fault);
    writeFileSync(join(on.rig.cwd, "on"), "");
    const isFelt = () => on.proxy.faultsMet > 2 || started.stderr().includes("recording goes on");
    await waitFor(isFelt, { what: "the fault is felt" });
    await on.proxy.always();
    expect(await started.finished).toMatchObject({ code: 0 });
    const run = await on.onlyRun();
    expect(run.info.status).toBe("FINISHED");
    await using store = await on.rig.openStore(on.server.url);
    const { items } = await store.getMetricHistory(run.info.runId, "loss");
    expect(items.map(({ value }) => value)).toEqual(Array.from({ length: 200 }, (_, index) => index + 1));
  });

  test("a lost answer to the making of the run leaves one run", async () => {
    // Experiment by name, its creation, then the run.
    const { code } = await shell("true", "-e", on.experiment);
    expect(code).toBe(0);
    on.proxy.next({ kind: "slow", delayMs: 0 }, { kind: "cut", afterBytes: 0 });
    expect(await shell("true", "-n", "second")).toMatchObject({ code: 0 });
    await waitFor(() => on.rig.journalNames().length === 0);
    expect(on.proxy.faultsMet).toBe(2);
    expect((await on.runs()).map(({ info }) => info.status)).toEqual(["FINISHED", "FINISHED"]);
  });

  test("a run that was made without our hearing of it is found again after kill -9", async () => {
    await using store = await on.rig.openStore(on.server.url);
    await store.createExperiment({ name: on.experiment });
    on.proxy.next({ kind: "slow", delayMs: 0 }, { kind: "hold" });
    const started = on.rig.start(["run", "--", "sleep", "60"], { env: env() });
    await waitFor(() => on.proxy.heldRequests === 1);
    for (const pid of processesIn(on.rig.root)) process.kill(pid, "SIGKILL");
    await started.finished;
    on.proxy.release();
    await waitFor(async () => (await on.runs()).length === 1);
    await track("ls");
    expect((await on.onlyRun()).info.status).toBe("KILLED");
    expect(on.rig.journalNames()).toEqual([]);
  });

  test("the end waits for the server no longer than it was told to, and nothing is left running", async () => {
    const started = on.rig.start(["run", "--sync-timeout", "1s", "--", "sh", "-c", "touch up; sleep 1"], {
      env: env(),
    });
    await waitFor(() => readFileSync(join(on.rig.cwd, "up"), "utf8") === "");
    await on.proxy.always({ kind: "hang" });
    const { code, durationMs, stderr } = await started.finished;
    expect(code).toBe(0);
    expect(durationMs).toBeLessThan(6000);
    expect(stderr).toContain("not all is stored yet");
    await waitFor(() => processesIn(on.rig.root).length === 0, { timeoutMs: 20_000 });
    expect(on.rig.journalNames()).toHaveLength(1);
  });

  test.each(["SIGINT", "SIGTERM"] as const)(
    "%s during the wait for the server ends the wait at once, and nothing else",
    async (signal) => {
      const script = 'echo "loss=1" >> "$TRACK_LOG"; touch up; while [ ! -e on ]; do sleep 0.05; done; exit 3';
      const started = on.rig.start(["run", "--sync-timeout", "10m", "--", "sh", "-c", script], { env: env() });
      await waitFor(() => existsSync(join(on.rig.cwd, "up")));
      await on.proxy.always({ kind: "hang" });
      writeFileSync(join(on.rig.cwd, "on"), "");
      const outcome = () => join(on.rig.journals, on.rig.journalNames()[0] ?? "", "outcome.json");
      await waitFor(() => existsSync(outcome()), { what: "the command has ended and track waits" });
      const beganMs = performance.now();
      started.process.kill(signal);
      const { code, signal: diedOf, stderr } = await started.finished;
      expect(performance.now() - beganMs).toBeLessThan(5000);
      expect({ code, diedOf }).toEqual({ code: 3, diedOf: null });
      expect(stderr).toContain("not all is stored yet");
      await on.proxy.always();
      await waitFor(async () => {
        await track("sync");
        return on.rig.journalNames().length === 0;
      });
      const run = await on.onlyRun();
      expect(run.info.status).toBe("FAILED");
      expect(metricsOf(run)).toEqual({ loss: 1 });
    },
  );

  test.each([401, 403])("a server that refuses with %i ends the start: 125, and nothing is begun", async (status) => {
    await on.proxy.always({ kind: "status", status, body: "no" });
    for (const args of [
      ["run", "--", "touch", "begun"],
      ["run", "--run-id", "0".repeat(32), "--", "touch", "begun"],
      ["run", "--resume-key", "k", "--", "touch", "begun"],
    ]) {
      const refused = await track(...args);
      expect(refused).toMatchObject({ code: 125, stdout: "" });
      expect(refused.stderr).toMatch(new RegExp(`^track: .*refuses the credentials: ${status}.*\nhint: `, "u"));
    }
    expect(await track("start")).toMatchObject({ stdout: "false\n", stderr: expect.stringContaining(`${status}`) });
    expect(existsSync(join(on.rig.cwd, "begun"))).toBe(false);
    expect(on.rig.journalNames()).toEqual([]);
    await waitFor(() => processesIn(on.rig.root).length === 0);
  });

  test.each([
    ["is away", { kind: "refuse" }],
    ["hangs", { kind: "hang" }],
    ["answers 503", { kind: "status", status: 503, body: "later" }],
    ["resets", { kind: "reset" }],
  ] as const)("--strict and a server that %s: 125, and nothing is begun", async (_title, fault) => {
    await on.proxy.always(fault);
    const refused = await track("run", "--strict", "--", "touch", "begun");
    expect(refused).toMatchObject({ code: 125, stdout: "" });
    expect(refused.stderr).toMatch(
      /^track: the store cannot be used: [^\n]+\nhint: mend it, or leave out --strict\n$/u,
    );
    expect(refused.durationMs).toBeLessThan(8000);
    expect(existsSync(join(on.rig.cwd, "begun"))).toBe(false);
    expect(on.rig.journalNames()).toEqual([]);
    await waitFor(() => processesIn(on.rig.root).length === 0);
  });

  test("after kill -9 of everything the next command finishes the run", async () => {
    const script = 'echo "loss=7" >> "$TRACK_LOG"; touch up; sleep 60';
    const started = on.rig.start(["run", "--", "sh", "-c", script], { env: env() });
    await waitFor(() => readFileSync(join(on.rig.cwd, "up"), "utf8") === "");
    await waitFor(async () => (await on.runs()).length === 1);
    for (const pid of processesIn(on.rig.root)) process.kill(pid, "SIGKILL");
    await started.finished;
    await waitFor(() => processesIn(on.rig.root).length === 0);
    await track("ls");
    const run = await on.onlyRun();
    expect(run.info.status).toBe("KILLED");
    expect(metricsOf(run)).toEqual({ loss: 7 });
    expect(tagsOf(run)["track.end_reason"]).toBe("lost");
  });

  test("a run that is lost without a journal ends at its last heartbeat; one of another host by doctor --stale alone", async () => {
    const started = on.rig.start(["run", "-n", "lost", "--", "sh", "-c", "touch up; exec sleep 60"], { env: env() });
    const lost = await waitFor(async () => {
      const tags = tagsOf((await on.runs())[0] as Run);
      return tags["track.process"] === undefined ? undefined : tags;
    });
    for (const pid of processesIn(on.rig.root)) process.kill(pid, "SIGKILL");
    await started.finished;
    await waitFor(() => processesIn(on.rig.root).length === 0);
    rmSync(on.rig.journals, { recursive: true });
    const { info } = await on.onlyRun();
    await using store = await openTrackingStore(on.server.url, { mode: "write" });
    const far = JSON.stringify({ ...(JSON.parse(lost["track.process"] ?? "") as object), host: "node9" });
    const tags = [
      { key: "track.process", value: far },
      { key: "track.heartbeat", value: "5000" },
    ];
    await store.createRun({ experimentId: info.experimentId, userId: "u", startTime: 1000, runName: "far", tags });
    const statusOf = async (name: string) => (await on.runs()).find((run) => run.info.runName === name);
    await track("ls", "--experiment", on.experiment);
    const ended = (await statusOf("lost")) as Run;
    expect(ended.info).toMatchObject({ status: "KILLED", endTime: Number(lost["track.heartbeat"]) });
    expect(tagsOf(ended)).toMatchObject({ "track.end_reason": "lost" });
    expect(tagsOf(ended)["track.process"]).toBeUndefined();
    expect((await statusOf("far"))?.info.status).toBe("RUNNING");
    expect(await track("doctor", "--stale", "--yes")).toMatchObject({ code: 0 });
    expect((await statusOf("far"))?.info).toMatchObject({ status: "KILLED", endTime: 5000 });
  });

  test("artifacts that would go to a bucket are told once and kept; the rest is stored", async () => {
    await using store = await on.rig.openStore(on.server.url);
    await store.createExperiment({ name: on.experiment, artifactLocation: "s3://bucket/there" });
    const { code, stderr } = await shell('echo "loss=2" >> "$TRACK_LOG"; echo hi');
    expect(code).toBe(0);
    expect(stderr.match(/s3: locations are not supported/gu)).toHaveLength(1);
    const run = await on.onlyRun();
    expect(run.info.status).toBe("FINISHED");
    expect(metricsOf(run)).toEqual({ loss: 2 });
    const [journal = ""] = on.rig.journalNames();
    expect(readFileSync(join(on.rig.journals, journal, "refused.ndjson"), "utf8")).toContain("console/attempt-1.log");
  });
});
