import { copyFileSync, existsSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { openSqliteStore, type SqliteStore } from "../../src/store/sqlite/sqlite-store.ts";
import { changeFile, crashWriter, holdDatabase, makeTestFolder, queryFile } from "./sqlite-rig.ts";
import { refused } from "./tracking-store-contract.ts";

let path: string;
beforeEach(async () => {
  path = join(await makeTestFolder(), "mlflow.db");
  const store = await openSqliteStore(path, { mode: "write" });
  await store[Symbol.asyncDispose]();
});

const openFor = (busyTimeoutMs: number, mode: "read" | "write" = "write"): Promise<SqliteStore> =>
  openSqliteStore(path, { mode, busyTimeoutMs });

describe("a database that another process holds", () => {
  test("is TEMPORARILY_UNAVAILABLE after the busy timeout, and heals", async () => {
    await using store = await openFor(50);
    const holder = await holdDatabase(path, "lock");
    const start = performance.now();
    await refused(
      store.createExperiment({ name: "n" }),
      "TEMPORARILY_UNAVAILABLE",
      /locked by another process: .*mlflow\.db/u,
    );
    await refused(store.getExperiment("0"), "TEMPORARILY_UNAVAILABLE", /locked/u);
    await refused(openFor(0, "read"), "TEMPORARILY_UNAVAILABLE", /locked/u);
    expect(performance.now() - start).toBeLessThan(3000);
    await holder.release();
    await store.createExperiment({ name: "n" });
  });

  test("is waited for, in order, and other work goes on meanwhile", async () => {
    await using store = await openFor(20_000);
    const holder = await holdDatabase(path, "lock");
    const writes = Promise.all(["a", "b", "c"].map((name) => store.createExperiment({ name })));
    let turns = 0;
    while (turns < 5) {
      await sleep(1);
      turns += 1;
    }
    await holder.release();
    expect(await writes).toEqual(["1", "2", "3"]);
  });

  test("by a reader holds up the end of a transaction only", async () => {
    await using store = await openFor(20_000);
    const holder = await holdDatabase(path, "read");
    const write = store.createExperiment({ name: "n" });
    const read = store.getExperimentByName("n");
    // The transaction waits for its end and lets no new reader in, so that its turn comes.
    await vi.waitFor(() => expect(() => queryFile(path, "SELECT 1 FROM experiments")).toThrow("locked"));
    await holder.release();
    expect(await write).toBe("1");
    expect((await read)?.experimentId).toBe("1");
  });

  test("by a reader: a write that gives up leaves nothing behind", async () => {
    await using store = await openFor(50);
    const holder = await holdDatabase(path, "read");
    await refused(store.createExperiment({ name: "n" }), "TEMPORARILY_UNAVAILABLE");
    expect(await store.getExperimentByName("n")).toBeUndefined();
    await holder.release();
    expect(await store.createExperiment({ name: "n" })).toBe("1");
  });
});

describe("a writer that was killed in the middle", () => {
  test.each(["read", "write"] as const)("leaves nothing of its transaction for mode %s", async (mode) => {
    await crashWriter(path);
    expect(existsSync(`${path}-journal`)).toBe(true);
    expect(readFileSync(path).includes("lost 7 ")).toBe(true);
    await using store = await openFor(1000, mode);
    expect((await store.searchExperiments({})).items.map((experiment) => experiment.name)).toEqual(["Default"]);
  });

  test("while a reader has the file open", async () => {
    await using store = await openFor(1000, "read");
    await crashWriter(path);
    expect((await store.searchExperiments({})).items).toHaveLength(1);
    await refused(store.createExperiment({ name: "still only reading" }), "TEMPORARILY_UNAVAILABLE", /read-only/u);
  });
});

describe("an MLflow migration under way", () => {
  test("stops writes, not reads, until it is over", async () => {
    await using store = await openFor(1000);
    const { info } = await store.createRun({ experimentId: "0", userId: "u", startTime: 1, runName: "r", tags: [] });
    changeFile(path, "CREATE TABLE _alembic_tmp_metrics (id INTEGER)");
    const metrics = [{ key: "m", value: 1, timestamp: 1, step: 0 }];
    for (let time = 0; time < 2; time += 1) {
      await refused(store.logBatch(info.runId, { metrics }), "TEMPORARILY_UNAVAILABLE", /MLflow is migrating/u);
    }
    expect((await store.getRun(info.runId)).data.metrics).toEqual([]);
    changeFile(path, "DROP TABLE _alembic_tmp_metrics");
    await store.logBatch(info.runId, { metrics });
    expect((await store.getRun(info.runId)).data.metrics).toEqual(metrics);
  });

  test("that took a table away is no mistake of the user's", async () => {
    await using store = await openFor(1000);
    changeFile(path, "ALTER TABLE runs RENAME TO runs_old");
    await refused(store.getRun("0".repeat(32)), "TEMPORARILY_UNAVAILABLE", /being changed/u);
    await refused(store.createExperiment({ name: "n" }), "TEMPORARILY_UNAVAILABLE", /migrating/u);
    changeFile(path, "ALTER TABLE runs_old RENAME TO runs");
    await store.createExperiment({ name: "n" });
  });
});

describe("a file that goes away while in use", () => {
  test("is told instead of written into the void, and used again when it is back", async () => {
    await using store = await openFor(1000);
    renameSync(path, `${path}.moved`);
    await refused(store.createExperiment({ name: "n" }), "TEMPORARILY_UNAVAILABLE", /removed while in use/u);
    expect(existsSync(path)).toBe(false);
    renameSync(`${path}.moved`, path);
    await store.createExperiment({ name: "n" });
  });

  test("and is replaced by another one is written to there", async () => {
    await using store = await openFor(1000);
    copyFileSync(path, `${path}.copy`);
    rmSync(path);
    renameSync(`${path}.copy`, path);
    await store.createExperiment({ name: "n" });
    expect(queryFile(path, "SELECT name FROM experiments WHERE experiment_id = 1")).toEqual([{ name: "n" }]);
  });
});

test("what was asked for before the end is still done", async () => {
  const store = await openFor(1000);
  const writes = ["a", "b"].map((name) => store.createExperiment({ name }));
  await store[Symbol.asyncDispose]();
  expect(await Promise.all(writes)).toEqual(["1", "2"]);
});
