import { describe, expect, test } from "vitest";
import { runProgram, setupLibrary } from "./library-rig.ts";
import { metricsOf, waitFor } from "./rig.ts";

/** The program itself keeps the database from being written, until it is gone. */
const locked = `
import { DatabaseSync } from "node:sqlite";
await track.startRun();
await track.flush({ to: "store" });
new DatabaseSync("mlflow.db").exec("BEGIN IMMEDIATE");
track.logMetric("m", 1);
const begun = performance.now();
process.on("exit", () => process.stdout.write("before"));`;

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
