import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Run } from "../../src/entities/run.ts";
import { runProgram, setupLibrary, startProgram } from "./library-rig.ts";
import { metricsOf, processesIn, tagsOf, waitFor } from "./rig.ts";

/** The program itself keeps the database from being written, until it is gone. */
const locked = `
import { DatabaseSync } from "node:sqlite";
await track.startRun();
await track.flush({ to: "store" });
new DatabaseSync("mlflow.db").exec("BEGIN IMMEDIATE");
track.logMetric("m", 1);
const begun = performance.now();
process.on("exit", () => process.stdout.write("before"));`;

test("a run tells where it lives and that it does, until it ends: from elsewhere, too, and where its journal is gone", async () => {
  await using rig = setupLibrary();
  const program = startProgram(
    rig,
    `import { existsSync } from "node:fs";
     const tags = async (run) => (await track.getRun(run.info.runId)).data.tags.map(({ key }) => key);
     const until = (file, then) => { const timer = setInterval(() => existsSync(file) && (clearInterval(timer), then()), 20); };
     const first = await track.startRun({ runName: "first" });
     const second = await track.startRun({ runName: "second", nested: true });
     until("go", async () => {
       await second.end();
       console.log(JSON.stringify((await tags(second)).filter((key) => /process|heartbeat/.test(key))));
       setInterval(() => {}, 1000);
     });`,
  );
  const [first, second] = await waitFor(
    async () => {
      const runs = (await rig.runs()).filter((run) => tagsOf(run)["track.heartbeat"] !== undefined);
      if (runs.length < 2) return undefined;
      return ["first", "second"].map((name) => runs.find(({ info }) => info.runName === name));
    },
    { what: "both runs have a heartbeat" },
  );
  expect(JSON.parse(tagsOf(first as Run)["track.process"] ?? "{}")).toMatchObject({
    wrapper: { pid: program.process.pid },
  });
  writeFileSync(join(rig.cwd, "go"), "");
  await waitFor(() => program.stdout().includes("\n"));
  expect(program.stdout()).toBe("[]\n");
  const byId = async (run: Run | undefined) =>
    (await rig.runs()).find(({ info }) => info.runId === run?.info.runId) as Run;
  const hasEnded = async () => (await byId(second)).info.status === "FINISHED";
  await waitFor(hasEnded, { what: "the end is stored" });
  expect(tagsOf(await byId(second))["track.heartbeat"]).toBeUndefined();
  for (const pid of processesIn(rig.root)) process.kill(pid, "SIGKILL");
  await program.finished;
  rmSync(rig.journals, { recursive: true });
  expect((await rig.track(["ls"])).code).toBe(0);
  const lost = await byId(first);
  expect([lost.info.status, tagsOf(lost)["track.end_reason"]]).toEqual(["KILLED", "lost"]);
  expect(tagsOf(lost)["track.process"]).toBeUndefined();
});

describe("the end of a program waits for its recorder", () => {
  test.for([
    ["TRACK_SYNC_TIMEOUT=300ms", { TRACK_SYNC_TIMEOUT: "300ms" }, 1],
    ["0: not at all, and without a word", { TRACK_SYNC_TIMEOUT: "0" }, 0],
  ] as const)("%s", async ([, env, lines]) => {
    await using rig = setupLibrary();
    const begun = performance.now();
    const done = await runProgram(rig, locked, { env });
    expect(performance.now() - begun).toBeLessThan(20_000);
    expect(done.code).toBe(0);
    const told = done.stderr.split("\n").filter((line) => line.includes("not all stored yet"));
    expect(told).toHaveLength(lines);
    for (const line of told) expect(line).toMatch(/^TrackWarning: .*TRACK_SYNC_TIMEOUT/u);
    const run = await waitFor(async () => (await rig.runs()).find(({ info }) => info.status === "FINISHED"), {
      what: "the recorder has gone on",
    });
    expect(metricsOf(run)).toEqual({ m: 1 });
  });

  test("whoever listens hears it, and a value that is none is told and hurts nobody", async () => {
    await using rig = setupLibrary();
    const heard = await runProgram(rig, `track.onError((error) => process.stdout.write(error.message));\n${locked}`, {
      env: { TRACK_SYNC_TIMEOUT: "100ms" },
    });
    expect([heard.code, heard.stderr]).toEqual([0, ""]);
    expect(heard.stdout).toMatch(/not all stored yet/u);
    const wrong = await runProgram(rig, "await track.withRun({}, () => {});", { env: { TRACK_SYNC_TIMEOUT: "soon" } });
    expect([wrong.code, wrong.stderr]).toEqual([
      0,
      expect.stringMatching(/TRACK_SYNC_TIMEOUT is not a duration: soon/u),
    ]);
  });

  test("a run that is not open yet is told of, not lost without a word", async () => {
    await using rig = setupLibrary();
    const lost = await runProgram(rig, "track.startRun(); track.logMetric('m', 1); process.exit(0);");
    expect([lost.code, lost.stderr]).toEqual([0, expect.stringMatching(/^TrackWarning: a run was not open yet/mu)]);
    const whole = await runProgram(rig, "track.startRun(); track.logMetric('m', 1);");
    expect([whole.code, whole.stderr]).toEqual([0, ""]);
    expect(metricsOf(await rig.run())).toEqual({ m: 1 });
  });

  test("it is a setting of `track run` as well", async () => {
    await using rig = setupLibrary();
    const env = { TRACK_SYNC_TIMEOUT: "7s" };
    const { stdout } = await rig.track(["config"], { env });
    expect(stdout).toMatch(/^sync-timeout\s+7s\s+TRACK_SYNC_TIMEOUT$/mu);
    const wrong = await rig.track(["run", "--", "true"], { env: { TRACK_SYNC_TIMEOUT: "soon" } });
    expect([wrong.code, wrong.stderr]).toEqual([
      125,
      expect.stringMatching(/TRACK_SYNC_TIMEOUT is not a duration: soon/u),
    ]);
  });
});
