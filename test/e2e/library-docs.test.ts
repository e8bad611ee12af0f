import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { examples, setupLibrary } from "./library-rig.ts";
import { repository } from "./rig.ts";

describe("docs/library.md", () => {
  test("has examples", () => expect(examples.length).toBeGreaterThan(4));

  test.for(examples.map((code, index) => [index, code] as const))("example %i runs", async ([, code]) => {
    await using rig = setupLibrary();
    const path = join(rig.cwd, "example.mts");
    writeFileSync(path, code);
    const done = await rig.spawn(process.execPath, [path]).finished;
    expect({ code: done.code, stderr: done.stderr }).toEqual({ code: 0, stderr: "" });
    const runs = await rig.runs();
    expect(runs.length).toBeGreaterThan(0);
    expect(runs.map(({ info }) => info.status)).toEqual(runs.map(() => "FINISHED"));
  });

  test("the example of a training logs what it prints", async () => {
    await using rig = setupLibrary();
    const path = join(rig.cwd, "train.mts");
    writeFileSync(path, readFileSync(join(repository, "fixtures/programs/train-library.ts"), "utf8"));
    const done = await rig.spawn(process.execPath, [path, "--epochs", "3"]).finished;
    expect({ code: done.code, stderr: done.stderr }).toEqual({ code: 0, stderr: "" });
    const run = (await rig.runs()).find(({ info }) => info.runName === "line");
    expect(run?.info.status).toBe("FINISHED");
    expect(run?.data.metrics.find(({ key }) => key === "loss")?.step).toBe(2);
    expect(done.stdout).toContain(run?.info.runId ?? "no run");
  });
});
