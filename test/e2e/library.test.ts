import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Run } from "../../src/entities/run.ts";
import { printed, runProgram, setupLibrary, startProgram, writeProgram } from "./library-rig.ts";
import { metricsOf, paramsOf, processesIn, tagsOf, type TrackRig, waitFor } from "./rig.ts";

const print = "const print = (value) => console.log(JSON.stringify(value));";

const nested = `
await track.setExperiment("digits");
await track.withRun({ runName: "search", tags: { team: "vision" } }, async () => {
  for (const lr of [0.1, 0.01]) {
    await track.withRun({ runName: "lr-" + lr, nested: true }, async (run) => {
      track.logParam("lr", lr);
      track.logMetric("val_loss", 1 / lr, { step: 1 });
    });
  }
});`;

async function byName(rig: TrackRig): Promise<Readonly<Record<string, Run>>> {
  return Object.fromEntries((await rig.runs()).map((run) => [run.info.runName, run]));
}

describe("a program of its own", () => {
  test("nested runs, all stored by the time that the program is gone, and nothing of ours left", async () => {
    await using rig = setupLibrary();
    const done = await runProgram(rig, nested);
    expect({ code: done.code, stderr: done.stderr, stdout: done.stdout }).toEqual({ code: 0, stderr: "", stdout: "" });
    const { search, "lr-0.1": first, "lr-0.01": second } = await byName(rig);
    expect(search?.info).toMatchObject({ status: "FINISHED", experimentId: "1", userId: "rigger" });
    expect(tagsOf(search as Run)).toMatchObject({
      team: "vision",
      "mlflow.user": "rigger",
      "mlflow.source.name": "train.mjs",
      "mlflow.source.type": "LOCAL",
    });
    for (const [run, lr] of [[first, 0.1] as const, [second, 0.01] as const]) {
      expect(run?.info).toMatchObject({ status: "FINISHED", experimentId: "1" });
      expect(tagsOf(run as Run)["mlflow.parentRunId"]).toBe(search?.info.runId);
      expect(paramsOf(run as Run)).toEqual({ lr: String(lr) });
      expect(run?.data.metrics).toMatchObject([{ key: "val_loss", value: 1 / lr, step: 1 }]);
    }
    await waitFor(() => processesIn(rig.root).length === 0, { what: "the recorder is gone" });
    expect(rig.journalNames()).toEqual([]);
  });

  test.for([
    ["ends by itself", "", "FINISHED", 0, null],
    ["process.exit(0)", "process.exit(0);", "FINISHED", 0, null],
    ["process.exit(3)", "process.exit(3);", "FAILED", 3, null],
    ["an uncaught exception", 'throw new Error("so it is");', "FAILED", 1, null],
    ["an unhandled rejection", 'Promise.reject(new Error("so it is"));', "FAILED", 1, null],
    ["SIGTERM", 'setTimeout(() => process.kill(process.pid, "SIGTERM"), 50);', "KILLED", null, "SIGTERM"],
    ["SIGINT", 'setTimeout(() => process.kill(process.pid, "SIGINT"), 50);', "KILLED", null, "SIGINT"],
    ["SIGKILL", 'setTimeout(() => process.kill(process.pid, "SIGKILL"), 50);', "KILLED", null, "SIGKILL"],
  ] as const)("%s leaves the truth, with everything flushed", async ([, end, status, code, signal]) => {
    await using rig = setupLibrary();
    // A death by a signal leaves what the kernel has taken; an end of its own, all.
    const points = signal === null ? 30_000 : 300;
    const done = await runProgram(
      rig,
      `await track.startRun({ runName: "outer" });
       await track.startRun({ runName: "inner", nested: true });
       for (let step = 0; step < ${points}; step += 1) track.logMetric("loss", step, { step });
       ${end}`,
    );
    expect([done.code, done.signal]).toEqual([code, signal]);
    const ended = async () => (await rig.runs()).every(({ info }) => info.status === status);
    await waitFor(ended, { what: `all runs are ${status}` });
    const { inner, outer } = await byName(rig);
    expect([outer?.info.status, inner?.info.status]).toEqual([status, status]);
    expect(metricsOf(inner as Run)).toEqual({ loss: points - 1 });
    await using store = await rig.openStore();
    const history = await store.getMetricHistory(inner?.info.runId ?? "", "loss", { maxResults: 50_000 });
    expect(history.items).toHaveLength(points);
    expect(inner?.info.endTime).toBeGreaterThan(0);
  });

  test("killed together with its recorder, its runs are ended by the next command", async () => {
    await using rig = setupLibrary();
    const program = startProgram(
      rig,
      `await track.startRun({ runName: "lost" });
       track.logMetric("loss", 0.5);
       await track.flush();
       console.log("flushed");
       setInterval(() => {}, 1000);`,
    );
    await waitFor(() => program.stdout().includes("flushed"));
    for (const pid of processesIn(rig.root)) process.kill(pid, "SIGKILL");
    await program.finished;
    expect((await rig.track(["ls"])).code).toBe(0);
    const run = await rig.run();
    expect(run.info).toMatchObject({ runName: "lost", status: "KILLED" });
    expect(metricsOf(run)).toEqual({ loss: 0.5 });
    expect(rig.journalNames()).toEqual([]);
  });

  test("goes on when its recorder is killed, and nothing is lost or there twice", async () => {
    await using rig = setupLibrary();
    const program = startProgram(
      rig,
      `await track.startRun({ runName: "tough" });
       let step = 0;
       const timer = setInterval(() => { for (let n = 0; n < 100; n += 1) track.logMetric("loss", step, { step: step++ }); }, 5);
       await track.flush();
       console.log("begun");
       process.stdin.resume().on("end", async () => {
         setTimeout(async () => { clearInterval(timer); await track.flush({ to: "store" }); console.log(step); }, 1000);
       });`,
    );
    await waitFor(() => program.stdout().includes("begun"));
    const [recorder] = processesIn(rig.root).filter((pid) => pid !== program.process.pid);
    process.kill(recorder ?? 0, "SIGKILL");
    const done = await program.finished;
    expect(done.code).toBe(0);
    const steps = Number(done.stdout.split("\n")[1]);
    const run = await rig.run();
    expect(run.info.status).toBe("FINISHED");
    await using store = await rig.openStore();
    const { items } = await store.getMetricHistory(run.info.runId, "loss", { maxResults: 25_000 });
    expect(items.map((point) => point.step)).toEqual(Array.from({ length: steps }, (_, index) => index));
  });

  test("goes on when no recorder can be had any more: what it says lies in the journal until the next command", async () => {
    await using rig = setupLibrary();
    const program = startProgram(
      rig,
      `await track.startRun({ runName: "alone" });
       let step = 0;
       const timer = setInterval(() => track.logMetric("loss", step, { step: step++ }), 2);
       await track.flush();
       console.log("begun");
       setTimeout(() => { clearInterval(timer); console.log(step); process.exit(0); }, 3000);`,
    );
    await waitFor(() => program.stdout().includes("begun"));
    const dead = new Set([program.process.pid]);
    for (let round = 0; round < 3; round += 1) {
      const recorder = await waitFor(() => processesIn(rig.root).find((pid) => !dead.has(pid)));
      dead.add(recorder);
      process.kill(recorder, "SIGKILL");
    }
    const done = await program.finished;
    expect(done.code).toBe(0);
    expect(done.stderr).toMatch(/TrackWarning: the recorder failed three times/u);
    const steps = Number(done.stdout.split("\n")[1]);
    expect(steps).toBeGreaterThan(100);
    expect((await rig.track(["ls"])).code).toBe(0);
    const run = await rig.run();
    expect(run.info).toMatchObject({ runName: "alone", status: "FINISHED" });
    await using store = await rig.openStore();
    const { items } = await store.getMetricHistory(run.info.runId, "loss", { maxResults: 25_000 });
    expect(items.map((point) => point.step)).toEqual(Array.from({ length: steps }, (_, index) => index));
  });

  test("the first log call starts a run; calls need not be waited for", async () => {
    await using rig = setupLibrary();
    const done = await runProgram(
      rig,
      `${print}
       print(track.activeRun() === undefined);
       track.logParam("lr", 0.1);
       track.logMetrics({ a: 1, b: NaN, c: -Infinity }, { step: -2, timestamp: 1790000000000 });
       track.setTags({ one: 1, two: { x: [true] } });
       await track.flush();
       print(track.activeRun().info.status);
       await track.endRun("KILLED");
       print([track.activeRun() === undefined, track.lastActiveRun().info.status]);`,
    );
    expect(printed(done)).toEqual([true, "RUNNING", [true, "KILLED"]]);
    const run = await rig.run();
    expect(run.info.status).toBe("KILLED");
    expect(paramsOf(run)).toEqual({ lr: "0.1" });
    expect(tagsOf(run)).toMatchObject({ one: "1", two: '{"x":[true]}' });
    expect(run.data.metrics.map(({ key, step, timestamp }) => [key, step, timestamp])).toEqual(
      ["a", "b", "c"].map((key) => [key, -2, 1_790_000_000_000]),
    );
  });

  test("a store that cannot be had is told once and hurts nobody", async () => {
    await using rig = setupLibrary();
    writeFileSync(join(rig.cwd, "mlflow.db"), "this is no database at all, and long enough to be seen as none");
    const done = await runProgram(
      rig,
      `for (let step = 0; step < 100; step += 1) track.logMetric("loss", 1);
       await new Promise((resolve) => setTimeout(resolve, 300));
       for (let step = 0; step < 100; step += 1) track.logMetric("loss", 1);`,
    );
    expect(done.code).toBe(0);
    const warnings = done.stderr.split("\n").filter((line) => line.includes("TrackWarning"));
    expect(warnings.length).toBeGreaterThan(0);
    expect(new Set(warnings).size).toBe(warnings.length);
  });
});

describe("the stack of runs", () => {
  test("each asynchronous context has its own, and an end makes the parent active again", async () => {
    await using rig = setupLibrary();
    const done = await runProgram(
      rig,
      `${print}
       const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
       const names = () => track.activeRun()?.info.runName;
       await using outer = await track.startRun({ runName: "outer" });
       await Promise.all([3, 1, 2].map((n) => track.withRun({ runName: "with-" + n, nested: true }, async () => {
         await wait(n * 10);
         track.logParam("n", n);
         await track.withRun({ runName: "deep-" + n, nested: true }, () => track.logParam("n", n));
         await wait(5);
         track.setTag("back", names());
       })));
       print(names());
       await Promise.all([3, 1, 2].map(async (n) => {
         const run = await track.startRun({ runName: "start-" + n, nested: true });
         await wait(30 - n * 10);
         track.logParam("n", n);
         await run.end();
       }));
       print(names());
       const inner = await track.startRun({ nested: true, runName: "inner" });
       print(names());
       await inner.end();
       print(names());
       const error = await track.startRun().catch((reason) => reason);
       print([error.name, error.errorCode, /nested: true/.test(error.message)]);`,
    );
    expect(printed(done)).toEqual(["outer", "outer", "inner", "outer", ["StoreError", "INVALID_STATE", true]]);
    const runs = await byName(rig);
    const parentOf = (name: string) => tagsOf(runs[name] as Run)["mlflow.parentRunId"];
    for (const n of [1, 2, 3]) {
      expect(paramsOf(runs[`with-${n}`] as Run)).toEqual({ n: String(n) });
      expect(paramsOf(runs[`start-${n}`] as Run)).toEqual({ n: String(n) });
      expect(tagsOf(runs[`with-${n}`] as Run)["back"]).toBe(`with-${n}`);
      expect([parentOf(`with-${n}`), parentOf(`start-${n}`)]).toEqual([
        runs["outer"]?.info.runId,
        runs["outer"]?.info.runId,
      ]);
      expect(parentOf(`deep-${n}`)).toBe(runs[`with-${n}`]?.info.runId);
    }
    expect(Object.values(runs).every(({ info }) => info.status === "FINISHED")).toBe(true);
  });

  test("withRun fails with its function, and a helper's startRun is its caller's", async () => {
    await using rig = setupLibrary();
    const done = await runProgram(
      rig,
      `${print}
       const reason = await track.withRun({ runName: "bad" }, () => { throw new RangeError("mine"); }).catch((error) => error);
       print([reason.name, reason.message]);
       print(await track.withRun({ runName: "good" }, () => 42));
       async function setUp() { await new Promise((resolve) => setTimeout(resolve, 5)); await track.startRun({ runName: "helped" }); }
       await setUp();
       print(track.activeRun().info.runName);
       track.logMetric("m", 1);`,
    );
    expect(printed(done)).toEqual([["RangeError", "mine"], 42, "helped"]);
    const runs = await byName(rig);
    expect(Object.fromEntries(Object.entries(runs).map(([name, { info }]) => [name, info.status]))).toEqual({
      bad: "FAILED",
      good: "FINISHED",
      helped: "FINISHED",
    });
    expect(metricsOf(runs["helped"] as Run)).toEqual({ m: 1 });
  });

  test("a worker thread shares the recorder, a child process has its own; both name their parent", async () => {
    await using rig = setupLibrary();
    writeFileSync(
      join(rig.cwd, "other.mjs"),
      `import * as track from "track";
       await track.withRun({ runName: process.argv[2], parentRunId: process.argv[3] }, () => track.logMetric("m", 1));`,
    );
    const done = await runProgram(
      rig,
      `import { Worker } from "node:worker_threads";
       import { fork } from "node:child_process";
       import { once } from "node:events";
       await using run = await track.startRun({ runName: "main" });
       const worker = new Worker("./other.mjs", { argv: ["worker", run.info.runId] });
       const child = fork("./other.mjs", ["child", run.info.runId]);
       await Promise.all([once(worker, "exit"), once(child, "exit")]);`,
    );
    expect(printed(done)).toEqual([]);
    const { main, worker, child } = await byName(rig);
    for (const one of [worker, child]) {
      expect(one?.info.status).toBe("FINISHED");
      expect(tagsOf(one as Run)["mlflow.parentRunId"]).toBe(main?.info.runId);
      expect(metricsOf(one as Run)).toEqual({ m: 1 });
    }
  });
});

describe("inside another wrapper", () => {
  test("track run: the first run is the command's own, others are below it", async () => {
    await using rig = setupLibrary();
    const path = join(rig.cwd, "train.mjs");
    writeFileSync(path, `import * as track from "track";\n${nested}\ntrack.logMetric("late", 1);`);
    const done = await rig.track(["run", "--no-system-metrics", "--run-name", "typed", "--", process.execPath, path]);
    expect(done.code).toBe(0);
    const runs = await byName(rig);
    expect(Object.keys(runs)).toHaveLength(4);
    const own = runs["typed"] as Run;
    expect(tagsOf(own)).toMatchObject({ team: "vision", "track.exit_code": "0" });
    for (const run of Object.values(runs)) {
      expect(run.info.status).toBe("FINISHED");
      if (run !== own) expect(tagsOf(run)["mlflow.parentRunId"]).toBe(own.info.runId);
    }
    expect(paramsOf(runs["lr-0.1"] as Run)).toEqual({ lr: "0.1" });
  });

  test("track run: a program that dies makes the command's run what the command is", async () => {
    await using rig = setupLibrary();
    writeFileSync(
      join(rig.cwd, "train.mjs"),
      'import * as track from "track";\nawait track.startRun();\ntrack.logMetric("loss", 7);\nprocess.exit(3);',
    );
    const done = await rig.track(["run", "--no-system-metrics", "--", process.execPath, "train.mjs"]);
    expect(done.code).toBe(3);
    const run = await rig.run();
    expect([run.info.status, metricsOf(run)]).toEqual(["FAILED", { loss: 7 }]);
  });

  test("track start: the run of the shell", async () => {
    await using rig = setupLibrary();
    writeFileSync(join(rig.cwd, "train.mjs"), 'import { logMetric } from "track";\nlogMetric("loss", 7);');
    const lines = `eval "$(track start --quiet --no-system-metrics -n shell)" && ${process.execPath} train.mjs && track end`;
    const done = await rig.spawn("sh", ["-c", lines]).finished;
    expect(done.code, done.stderr).toBe(0);
    const run = await rig.run();
    expect(run.info).toMatchObject({ runName: "shell", status: "FINISHED" });
    expect(metricsOf(run)).toEqual({ loss: 7 });
  });

  test("a plain MLflow wrapper: the run of the environment is resumed once", async () => {
    await using rig = setupLibrary();
    await runProgram(rig, 'await track.withRun({ runName: "given" }, () => {});');
    const { runId } = (await rig.run()).info;
    const done = await runProgram(
      rig,
      `${print}
       track.logMetric("m", 1);
       await track.flush();
       print([track.activeRun().info.runId, process.env.MLFLOW_RUN_ID ?? null]);
       await track.endRun("FAILED");
       await track.withRun({ runName: "second" }, () => {});`,
      { env: { MLFLOW_RUN_ID: runId, MLFLOW_TRACKING_URI: "sqlite:///mlflow.db" } },
    );
    expect(printed(done)).toEqual([[runId, null]]);
    const { given, second } = await byName(rig);
    expect([given?.info.status, metricsOf(given as Run)]).toEqual(["FAILED", { m: 1 }]);
    expect(second?.info.status).toBe("FINISHED");
  });

  test("a resumed run that is left open ends as the program does", async () => {
    await using rig = setupLibrary();
    await runProgram(rig, 'await track.withRun({ runName: "given" }, () => {});');
    const { runId } = (await rig.run()).info;
    await runProgram(rig, `await track.startRun({ runId: "${runId}" }); process.exit(4);`);
    expect((await rig.run()).info.status).toBe("FAILED");
  });

  test("setTrackingUri: runs go to another store, which the environment names for child processes", async () => {
    await using rig = setupLibrary();
    const done = await runProgram(
      rig,
      `${print}
       track.setTrackingUri("sqlite:///other.db");
       print(process.env.MLFLOW_TRACKING_URI);
       await track.withRun({ runName: "there" }, () => process.chdir("/"));
       await track.withRun({ runName: "still there" }, () => {});`,
    );
    const uri = `sqlite:///${join(rig.cwd, "other.db")}`;
    expect(printed(done)).toEqual([uri]);
    expect((await rig.runs(uri)).map(({ info }) => info.runName)).toEqual(["still there", "there"]);
    expect(existsSync(join(rig.cwd, "mlflow.db"))).toBe(false);
  });
});

describe("a param that somebody else has logged with another value", () => {
  const caught = `const heard = [];
     track.onError((error) => heard.push([error.name, error.errorCode, /'lr'.*'1'.*'2'/.test(error.message)]));
     const rejected = (logged) => logged.then(() => null, (error) => error.errorCode);`;

  test("is reported and, where it is awaited, rejects; what was said beside it is stored", async () => {
    await using rig = setupLibrary();
    writeFileSync(
      join(rig.cwd, "other.mjs"),
      'import * as track from "track";\nawait track.withRun({ runId: process.argv[2] }, () => track.logParam("lr", 1));',
    );
    const done = await runProgram(
      rig,
      `import { spawnSync } from "node:child_process";
       ${print} ${caught}
       const run = await track.startRun();
       track.logParam("mine", 1);
       await track.flush({ to: "store" });
       const other = spawnSync(process.execPath, ["other.mjs", run.info.runId], { stdio: "inherit" });
       track.logMetric("m", 1);
       track.logParams({ lr: 2 });
       track.logMetric("m", 2, { step: 1 });
       await track.flush();
       print([other.status, heard]);
       print(await rejected(track.logParam("lr", 2)));
       print(await rejected(track.logParam("lr", 1)));
       print(await rejected(track.logParam("fine", 2)));
       const client = new track.TrackingClient();
       print(await rejected(client.logParam(run.info.runId, "lr", 2)));`,
    );
    const refused = ["StoreError", "INVALID_PARAMETER_VALUE", true];
    expect(printed(done)).toEqual([[0, [refused]], "INVALID_PARAMETER_VALUE", null, null, "INVALID_PARAMETER_VALUE"]);
    const run = await rig.run();
    expect([paramsOf(run), metricsOf(run)]).toEqual([{ lr: "1", mine: "1", fine: "2" }, { m: 2 }]);
    expect(run.info.status).toBe("FINISHED");
  });

  test("also before the run is open, in a worker thread, and below `track run`; a secret is none", async () => {
    await using rig = setupLibrary();
    const code = `import { Worker, isMainThread, workerData } from "node:worker_threads";
       import { once } from "node:events";
       ${print} ${caught}
       if (isMainThread) {
         track.logParam("lr", 1);
         print(await rejected(track.logParam("lr", 2)));
         await track.withRun({ nested: true }, async (run) => {
           track.logParam("lr", 1);
           track.logParam("api_key", "sk-1234567890");
           track.logParam("api_key", "sk-1234567890");
           await track.flush();
           const worker = new Worker(import.meta.filename, { workerData: run.info.runId });
           await once(worker, "exit");
           print(heard.filter(([, code]) => code !== undefined).length);
         });
       } else {
         await track.withRun({ runId: workerData }, async () => {
           print(await rejected(track.logParam("api_key", "sk-1234567890")));
           try { track.logParam("lr", 2); } catch (error) { print(error.errorCode); }
         });
       }`;
    const refused = "INVALID_PARAMETER_VALUE";
    expect(printed(await runProgram(rig, code))).toEqual([refused, null, refused, 1]);
    await using other = setupLibrary();
    const path = join(other.cwd, "train.mjs");
    writeFileSync(path, `import * as track from "track";\n${code}`);
    const below = await other.track(["run", "--no-system-metrics", "--", process.execPath, path]);
    expect(printed(below)).toEqual([refused, null, refused, 1]);
  });
});

describe("everything else", () => {
  test("logSystemMetrics samples the machine and the program for that run alone", async () => {
    await using rig = setupLibrary();
    const done = await runProgram(
      rig,
      `await track.withRun({ runName: "seen", logSystemMetrics: true }, async () => {
         await track.withRun({ runName: "unseen", nested: true, logSystemMetrics: false }, () => {});
         await new Promise((resolve) => setTimeout(resolve, 1300));
       });
       await track.withRun({ runName: "later" }, () => {});`,
      { env: { MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL: "0.4" } },
    );
    expect(done.code).toBe(0);
    const runs = await byName(rig);
    const keysOf = (name: string) => runs[name]?.data.metrics.map(({ key }) => key) ?? [];
    expect(keysOf("seen")).toContain("system/cpu_utilization_percentage");
    expect(keysOf("seen").every((key) => key.startsWith("system/"))).toBe(true);
    expect(runs["seen"]?.data.metrics[0]?.step).toBeGreaterThan(0);
    expect([keysOf("unseen"), keysOf("later")]).toEqual([[], []]);
  });

  test("logSystemMetrics below `track run`: runs below the command's own are sampled as they ask; in a worker thread too", async () => {
    await using rig = setupLibrary();
    const path = join(rig.cwd, "train.mjs");
    const interval = { MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL: "0.3" };
    writeFileSync(
      path,
      `import * as track from "track";
       import { once } from "node:events";
       import { isMainThread, Worker } from "node:worker_threads";
       const second = () => new Promise((resolve) => setTimeout(resolve, 1000));
       if (isMainThread) {
         await track.startRun({ logSystemMetrics: true });
         await track.withRun({ runName: "seen", nested: true, logSystemMetrics: true }, second);
         await track.withRun({ runName: "unseen", nested: true }, second);
         await once(new Worker(import.meta.filename, { argv: [track.activeRun().info.runId] }), "exit");
       } else await track.withRun({ runName: "worker", parentRunId: process.argv[2], logSystemMetrics: true }, second);`,
    );
    const sampled = (runs: Readonly<Record<string, Run>>) =>
      Object.entries(runs)
        .filter(([, run]) => run.data.metrics.some(({ key }) => key === "system/cpu_utilization_percentage"))
        .map(([name]) => name)
        .toSorted();
    const on = await rig.track(["run", "-n", "own", "--", process.execPath, path], { env: interval });
    expect([on.code, on.stderr], on.stderr).toEqual([0, expect.not.stringContaining("TrackWarning")]);
    expect(sampled(await byName(rig))).toEqual(["own", "seen", "worker"]);
    await using other = setupLibrary();
    const options = ["-n", "own", "--no-system-metrics"];
    const off = await other.track(["run", ...options, "--", process.execPath, path], { env: interval });
    // What was typed wins, and is told.
    expect([off.code, off.stderr]).toEqual([0, expect.stringMatching(/TrackWarning: .*--no-system-metrics/u)]);
    expect(sampled(await byName(other))).toEqual(["seen", "worker"]);
  });

  test("a recorder that takes the place of a killed one goes on sampling", async () => {
    await using rig = setupLibrary();
    const program = startProgram(
      rig,
      `import { existsSync } from "node:fs";
       await track.startRun({ runName: "seen", logSystemMetrics: true });
       await track.flush({ to: "store" });
       console.log("begun");
       setInterval(() => existsSync("enough") && process.exit(0), 50);`,
      { env: { MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL: "0.3" } },
    );
    await waitFor(() => program.stdout().includes("begun"));
    const samples = async () => {
      await using store = await rig.openStore();
      const { runId } = (await rig.run()).info;
      return (await store.getMetricHistory(runId, "system/cpu_utilization_percentage", { maxResults: 1000 })).items;
    };
    await waitFor(async () => (await samples()).length > 0, { what: "a first sample is stored" });
    const [recorder] = processesIn(rig.root).filter((pid) => pid !== program.process.pid);
    const before = (await samples()).length;
    process.kill(recorder ?? 0, "SIGKILL");
    await waitFor(async () => (await samples()).length > before + 2, { what: "its successor's samples" });
    writeFileSync(join(rig.cwd, "enough"), "");
    await program.finished;
    const steps = (await samples()).map(({ step }) => step);
    expect(new Set(steps).size).toBe(steps.length);
  });

  test("artifacts of all kinds, inputs, tags and searches", async () => {
    await using rig = setupLibrary();
    const done = await runProgram(
      rig,
      `import { mkdirSync, writeFileSync } from "node:fs";
       ${print}
       writeFileSync("model.bin", "weights");
       mkdirSync("out/deep", { recursive: true });
       writeFileSync("out/deep/x.txt", "x");
       await track.withRun({ runName: "all" }, async (run) => {
         await track.logArtifact("model.bin", "checkpoints");
         writeFileSync("model.bin", "changed");
         await track.logArtifacts("out");
         await track.logText("grüße", "notes/a.txt");
         await track.logText("x".repeat(2_000_000), "big/b.txt");
         await track.logDict({ a: [1, "é"] }, "config.json");
         track.logTable({ q: ["a"], r: [1] }, "t.json");
         await track.logTable([{ q: "b", s: 2 }], "t.json");
         await track.logInput({ name: "digits", digest: "abc", source: { path: "x" } }, { context: "training" });
         track.setTag("gone", 1);
         await track.deleteTag("gone");
         await track.setExperimentTags({ owner: "ada" });
         track.logMetric("m", 1);
         for (let step = 0; step < 2500; step += 1) track.logMetric("h", step, { step });
         const got = await track.getRun(run.info.runId);
         print(got.data.tags.some(({ key }) => key === "gone"));
         print((await track.getMetricHistory(run.info.runId, "h")).length);
         print((await track.searchRuns({ filter: "metrics.m = 1" })).map(({ info }) => info.runName));
         print((await track.searchExperiments()).map(({ name, tags }) => [name, tags]));
       });
       const client = new track.TrackingClient();
       const made = await client.createRun(await client.createExperiment("client"), { runName: "by client" });
       await client.logBatch(made.info.runId, { params: [{ key: "p", value: "1" }], metrics: [{ key: "m", value: NaN, step: 1, timestamp: 5 }] });
       await client.setTerminated(made.info.runId, "KILLED", 1790000000000);
       print((await client.getRun(made.info.runId)).info);
       await client.deleteRun(made.info.runId);`,
    );
    expect(printed(done).slice(0, 4)).toEqual([false, 2500, ["all"], [["Default", [{ key: "owner", value: "ada" }]]]]);
    expect(printed(done)[4]).toMatchObject({ runName: "by client", status: "KILLED", endTime: 1_790_000_000_000 });
    const { all, "by client": made } = await byName(rig);
    const file = (path: string) => readFileSync(join(all?.info.artifactUri ?? "", path), "utf8");
    expect(file("checkpoints/model.bin")).toBe("weights");
    expect(file("deep/x.txt")).toBe("x");
    expect(file("notes/a.txt")).toBe("grüße");
    expect(file("big/b.txt")).toHaveLength(2_000_000);
    expect(file("config.json")).toBe('{\n  "a": [\n    1,\n    "\\u00e9"\n  ]\n}');
    expect(JSON.parse(file("t.json"))).toEqual({
      columns: ["q", "r", "s"],
      data: [
        ["a", 1, null],
        ["b", null, 2],
      ],
    });
    expect(tagsOf(all as Run)["mlflow.loggedArtifacts"]).toBe('[{"path": "t.json", "type": "table"}]');
    expect(all?.inputs.datasetInputs).toMatchObject([
      { dataset: { name: "digits", digest: "abc" }, tags: [{ key: "mlflow.data.context", value: "training" }] },
    ]);
    expect(made?.info.lifecycleStage).toBe("deleted");
  });
});

describe("other commands while a program's run lives", () => {
  test.for(["alone", "below `track run`"])(
    "%s: doctor knows it, `log --run` speaks to its recorder, `rm` leaves it",
    async (where) => {
      await using rig = setupLibrary();
      const path = writeProgram(
        rig,
        "train.mjs",
        `import { existsSync } from "node:fs";
       await track.withRun({ runName: "done" }, () => {});
       await track.startRun({ runName: "live", nested: true });
       track.logMetric("m", 1);
       track.logParam("lr", 1);
       await track.flush({ to: "store" });
       console.log("ready");
       setInterval(() => { if (existsSync("enough")) process.exit(0); }, 50);`,
      );
      const program =
        where === "alone"
          ? rig.spawn(process.execPath, [path])
          : rig.start(["run", "--no-system-metrics", "--", process.execPath, path]);
      await waitFor(() => program.stdout().includes("ready"));
      const { live, done } = await byName(rig);
      const liveId = live?.info.runId ?? "";
      const doctor = await rig.track(["doctor"]);
      expect(doctor.stdout).not.toMatch(/without a heartbeat/u);
      if (where === "alone")
        expect(doctor.stdout).toMatch(new RegExp(`live runs.*${liveId.slice(0, 8)} \\(program, pid`, "u"));
      expect((await rig.track(["log", "metric", "m=2", "--step", "1", "--run", liveId])).code).toBe(0);
      expect((await rig.track(["log", "text", "a.txt", "hello", "--run", liveId])).code).toBe(0);
      const refused = await rig.track(["log", "param", "lr=2", "--run", liveId]);
      expect([refused.code, refused.stderr]).toEqual([
        1,
        expect.stringMatching(/Changing param values is not allowed/u),
      ]);
      expect((await rig.track(["rm", liveId])).code).not.toBe(0);
      // What has ended is left to everybody, although its program lives.
      if (where === "alone") expect((await rig.track(["rm", done?.info.runId ?? ""])).code).toBe(0);
      writeFileSync(join(rig.cwd, "enough"), "");
      await program.finished;
      const ended = (await byName(rig))["live"] as Run;
      expect([ended.info.status, metricsOf(ended), paramsOf(ended)]).toEqual(["FINISHED", { m: 2 }, { lr: "1" }]);
      expect(readFileSync(join(ended.info.artifactUri, "a.txt"), "utf8")).toBe("hello");
    },
  );
});
