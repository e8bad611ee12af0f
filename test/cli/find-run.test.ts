import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { findRun } from "../../src/cli/find-run.ts";
import { TrackError } from "../../src/errors.ts";
import type { TrackingStore } from "../../src/store/tracking-store.ts";
import { CommandRig, idOf, now } from "./command-rig.ts";

let rig: CommandRig;
let store: TrackingStore;

beforeEach(async () => {
  rig = new CommandRig();
  await rig.seed(
    { runId: idOf("aaaa1"), runName: "otter", startTime: now - 5000 },
    { runId: idOf("aaaa2"), runName: "twin", startTime: now - 4000 },
    { runId: idOf("bbbb1"), runName: "twin", startTime: now - 3000 },
    { runId: idOf("cccc1"), runName: "it's", startTime: now - 2000 },
    { runId: idOf("dddd1"), runName: `both ' and "`, startTime: now - 1000 },
    { runId: idOf("eeee1"), runName: "gone", startTime: now },
  );
  store = await rig.openStore();
  await store.deleteRun(idOf("eeee1"));
});

afterEach(async () => {
  await store[Symbol.asyncDispose]();
  await rig[Symbol.asyncDispose]();
});

async function find(name: string): Promise<string> {
  return (await findRun(store, name)).info.runId;
}

async function refuse(name: string): Promise<TrackError> {
  const error: unknown = await findRun(store, name).catch((thrown: unknown) => thrown);
  if (!(error instanceof TrackError)) throw new Error(`no TrackError: ${String(error)}`);
  return error;
}

describe("a run is named by", () => {
  test("its id or a unique prefix of 4 characters or more, deleted or not", async () => {
    expect(await find(idOf("aaaa1"))).toBe(idOf("aaaa1"));
    expect(await find("bbbb")).toBe(idOf("bbbb1"));
    expect(await find("eeee")).toBe(idOf("eeee1"));
  });

  test("its exact name, whatever quotes are in it", async () => {
    expect(await find("otter")).toBe(idOf("aaaa1"));
    expect(await find("it's")).toBe(idOf("cccc1"));
    expect(await find(`both ' and "`)).toBe(idOf("dddd1"));
  });

  test("its age, counted over active runs by the start of the latest attempt", async () => {
    expect(await find("@last")).toBe(idOf("dddd1"));
    expect(await find("@1")).toBe(idOf("dddd1"));
    expect(await find("@3")).toBe(idOf("bbbb1"));
    await store.logBatch(idOf("aaaa1"), {
      tags: [
        { key: "track.attempt", value: "2" },
        { key: "track.attempt_start_time", value: String(now + 10) },
      ],
    });
    expect(await find("@last")).toBe(idOf("aaaa1"));
    expect(await find("@2")).toBe(idOf("dddd1"));
    expect(await find("@5")).toBe(idOf("aaaa2"));
  });

  test("a name in any experiment", async () => {
    const experimentId = await store.createExperiment({ name: "other" });
    await rig.seed({ runId: idOf("ffff1"), runName: "far", experimentId, startTime: now + 1 });
    expect(await find("far")).toBe(idOf("ffff1"));
    expect(await find("@last")).toBe(idOf("ffff1"));
  });
});

describe("refused is", () => {
  test("an ambiguous prefix or name, with the candidates", async () => {
    const byPrefix = await refuse("aaaa");
    expect(byPrefix.message).toBe("which run? 2 run ids begin so: aaaa");
    expect(byPrefix.hint).toBe(`one of ${idOf("aaaa1")} (otter), ${idOf("aaaa2")} (twin)`);
    const byName = await refuse("twin");
    expect(byName.message).toBe("which run? 2 runs have this name: twin");
    expect(byName.hint).toContain(idOf("bbbb1"));
  });

  test.each([
    ["nothing-like-it", "track ls --all shows the ids and names"],
    ["gone", "it is deleted: track restore eeee1000"],
    ["aaa", "give 4 characters of its id or more"],
    ["@99", "there are only 5 runs"],
    ["@0", "write @last, @2, @3, ..."],
    ["@first", "write @last, @2, @3, ..."],
    ["", "track ls --all shows the ids and names"],
    ["%%%%", "track ls --all shows the ids and names"],
    ["____", "track ls --all shows the ids and names"],
  ])("%j", async (name, hint) => {
    const error = await refuse(name);
    expect(error.message).toBe(`no such run: ${name}`);
    expect(error.hint).toBe(hint);
    expect(error.exitCode).toBe(1);
  });
});
