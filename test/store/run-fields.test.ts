import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { openTrackingStore } from "../../src/store/open-store.ts";
import { hasRunFields } from "../../src/store/run-fields.ts";
import type { TrackingStore } from "../../src/store/tracking-store.ts";
import { changeFile, makeTestFolder } from "./sqlite-rig.ts";

const idOf = (start: string) => start.padEnd(32, "0");

async function seed(store: TrackingStore, start: string, startTime: number, value = 1): Promise<void> {
  const runId = idOf(start);
  await store.createRun({ experimentId: "0", runId, userId: "ada", startTime, runName: `run ${start}`, tags: [] });
  await store.logBatch(runId, {
    metrics: ["loss", "acc"].map((key) => ({ key, value, step: 1, timestamp: 5 })),
    params: ["lr", "seed"].map((key) => ({ key, value: String(value) })),
    tags: [{ key: "team", value: "vision" }],
  });
}

test("a search for some fields gives these alone, and the name that is only in its tag", async () => {
  const path = join(await makeTestFolder(), "mlflow.db");
  await using store = await openTrackingStore(`sqlite:///${path}`, { mode: "write" });
  if (!hasRunFields(store)) throw new Error("the SQLite store must have it");
  await seed(store, "a", 2);
  await seed(store, "b", 1);
  const search = { experimentIds: ["0"], filter: "metrics.acc > 0" };
  const { items } = await store.searchRunFields(search, { metrics: ["loss"], params: ["lr", "nope"], tags: [] });
  expect(items.map(({ data }) => data)).toEqual(
    [1, 1].map((value) => ({
      metrics: [{ key: "loss", value, step: 1, timestamp: 5 }],
      params: [{ key: "lr", value: String(value) }],
      tags: [],
    })),
  );
  changeFile(path, `UPDATE runs SET name = '' WHERE run_uuid = '${idOf("a")}'`);
  const renamed = await store.searchRunFields({ experimentIds: ["0"] }, { metrics: [], params: [], tags: ["team"] });
  expect(renamed.items.map(({ info }) => info.runName)).toEqual(["run a", "run b"]);
  expect(renamed.items[1]?.data.tags).toContainEqual({ key: "team", value: "vision" });
});

test("a filter finds the newest of many runs, wherever among them they are", async () => {
  const path = join(await makeTestFolder(), "mlflow.db");
  await using store = await openTrackingStore(`sqlite:///${path}`, { mode: "write" });
  for (const start of ["a", "b", "c"]) await seed(store, start, 10 + start.charCodeAt(0), 7);
  using database = new DatabaseSync(path);
  // Between b and c there are more runs than the first look takes in.
  database.exec(`INSERT INTO runs (run_uuid, name, start_time, lifecycle_stage, experiment_id, status)
    WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 2999)
    SELECT printf('f%031d', i), 'other', ${10 + "b".charCodeAt(0)} + 0.5, 'active', 0, 'FINISHED' FROM n`);
  const find = async (maxResults: number, pageToken?: string) => {
    const query = { experimentIds: ["0"], filter: "params.lr = '7'", maxResults };
    const page = await store.searchRuns({ ...query, ...(pageToken !== undefined && { pageToken }) });
    return { names: page.items.map(({ info }) => info.runName), next: page.nextPageToken };
  };
  expect(await find(2)).toEqual({ names: ["run c", "run b"], next: expect.any(String) });
  expect(await find(2, (await find(2)).next)).toEqual({ names: ["run a"], next: undefined });
  expect(await find(3)).toEqual({ names: ["run c", "run b", "run a"], next: undefined });
  await seed(store, "d", 1000, 7);
  await seed(store, "e", 1001, 7);
  expect(await find(1)).toEqual({ names: ["run e"], next: expect.any(String) });
  expect(await find(1, (await find(1)).next)).toEqual({ names: ["run d"], next: expect.any(String) });
});
