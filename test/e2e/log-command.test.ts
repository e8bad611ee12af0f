import { join } from "node:path";
import { expect, test } from "vitest";
import { OpenRun } from "./open-run.ts";
import { installed, metricsOf, paramsOf, tagsOf, TrackRig } from "./rig.ts";

/** `bin/track log` has a program of its own, which must say what the whole of track says. */
test("the short way of track log says and answers what the long one does", async () => {
  await using rig = TrackRig.setup();
  const run = await OpenRun.start(rig);
  const { env } = run;
  const main = join(installed, "dist/main.cjs");
  for (const [words, code] of [
    ["metric loss=0.5 acc=NaN --step 3 --timestamp 5", 0],
    ["metric --step=4 -- loss=0.25", 0],
    ["param lr=0.1 opt=adam", 0],
    ["param lr=0.2", 0],
    ["tag phase=warm-up", 0],
    ["tag phase=warm=up --run @last", 0],
    ["metric loss=abc", 2],
    ["metric loss", 2],
    ["metric", 2],
    ["metric loss=1 loss=2", 2],
    ["metric loss=1 --step x", 2],
    ["metric loss=1 --stop 3", 2],
    ["metric bad\tname=1", 1],
    ["metrics loss=1", 2],
    ["metric --help", 0],
    ["", 2],
  ] as const) {
    const args = ["log", ...words.split(" ").filter((word) => word !== "")];
    const short = await rig.track(args, { env });
    const long = await rig.spawn(process.execPath, [main, ...args], { env }).finished;
    expect(short, words).toMatchObject({ code, stdout: long.stdout, stderr: long.stderr });
    expect(long.code, words).toBe(code);
  }
  await run.end(0);
  const stored = await rig.run();
  expect(metricsOf(stored)).toEqual({ loss: 0.25, acc: Number.NaN });
  expect(paramsOf(stored)).toEqual({ lr: "0.1", opt: "adam" });
  expect(tagsOf(stored)).toMatchObject({ phase: "warm=up" });
});

test("a metric goes to the append file where nobody serves the socket", async () => {
  await using rig = TrackRig.setup();
  const run = await OpenRun.start(rig);
  const env = { ...run.env, TRACK_SOCKET: join(rig.cwd, "nobody") };
  expect(await rig.track(["log", "metric", "loss=0.5"], { env })).toMatchObject({ code: 0, stderr: "" });
  await run.end(0);
  expect(metricsOf(await rig.run())).toEqual({ loss: 0.5 });
});
