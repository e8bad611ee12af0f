import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { CommandRig, idOf } from "./command-rig.ts";

let rig: CommandRig;

beforeEach(async () => {
  rig = new CommandRig();
  await rig.seed({ runId: idOf("aaaa1"), runName: "otter" });
});

afterEach(async () => {
  await rig[Symbol.asyncDispose]();
});

test("track log --run writes metrics, params, tags and artifacts to the store of that run", async () => {
  writeFileSync(join(rig.folder, "model.bin"), "weights");
  const lines = [
    ["log", "metric", "loss=0.5", "acc=1e-3", "--step", "-3", "--run", "otter"],
    ["log", "param", "lr=0.01", "--run", "aaaa"],
    ["log", "tag", "phase=warm-up", "--run", "@last"],
    ["log", "artifact", "model.bin", "--artifact-path", "out", "--run", "otter"],
    ["log", "text", "notes/a.txt", "it works", "--run", "otter"],
  ];
  for (const line of lines) expect(await rig.track(line), line.join(" ")).toMatchObject({ exitCode: 0, stderr: "" });
  await using store = await rig.openStore("read");
  const { info, data } = await store.getRun(idOf("aaaa1"));
  expect(data.metrics.map(({ key, value, step }) => `${key}=${value} at ${step}`).sort()).toEqual([
    "acc=0.001 at -3",
    "loss=0.5 at -3",
  ]);
  expect(data.params).toEqual([{ key: "lr", value: "0.01" }]);
  expect(data.tags).toContainEqual({ key: "phase", value: "warm-up" });
  expect(readFileSync(join(info.artifactUri, "out/model.bin"), "utf8")).toBe("weights");
  expect(readFileSync(join(info.artifactUri, "notes/a.txt"), "utf8")).toBe("it works");
});

test("outside a run --run is asked for; an unknown or deleted run is refused before anything is written", async () => {
  expect(await rig.track(["log", "metric", "loss=1"])).toMatchObject({
    exitCode: 2,
    stderr: expect.stringMatching(/^track: [^\n]+\nhint: [^\n]*--run <run>[^\n]*\n$/u),
  });
  expect(await rig.track(["log", "metric", "loss=1", "--run", "nope"])).toMatchObject({ exitCode: 1 });
  await rig.track(["rm", "otter"]);
  expect(await rig.track(["log", "metric", "loss=1", "--run", "aaaa"])).toMatchObject({
    exitCode: 1,
    stderr: `track: the run is deleted: ${idOf("aaaa1")}\nhint: track restore aaaa1000\n`,
  });
});
