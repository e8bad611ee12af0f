import { rm } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openSqliteStore, type SqliteStore } from "../../src/store/sqlite/sqlite-store.ts";
import { changeFile, makeFolder, queryFile } from "./sqlite-rig.ts";
import { point, refused } from "./tracking-store-contract.ts";

// What other readers of the file see: MLflow's own reading depends on every one of these forms.
const runId = "0123456789abcdef0123456789abcdef";

let folder: string;
let path: string;
let store: SqliteStore;

beforeEach(async () => {
  folder = await makeFolder();
  path = join(folder, "mlflow.db");
  store = await openSqliteStore(path, { mode: "write" });
  await store.createRun({ experimentId: "0", runId, userId: "ada", startTime: 1000, runName: "r", tags: [] });
});
afterEach(async () => {
  await store[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

test("a run has MLflow's legacy columns, and no end", () => {
  expect(queryFile(path, "SELECT * FROM runs")).toEqual([
    {
      run_uuid: runId,
      name: "r",
      source_type: "UNKNOWN",
      source_name: "",
      entry_point_name: "",
      user_id: "ada",
      status: "RUNNING",
      start_time: 1000,
      end_time: null,
      source_version: "",
      lifecycle_stage: "active",
      artifact_uri: `${folder}/mlruns/0/${runId}/artifacts`,
      experiment_id: 0,
      deleted_time: null,
    },
  ]);
  expect(queryFile(path, "SELECT key, value FROM tags")).toEqual([{ key: "mlflow.runName", value: "r" }]);
});

test("the client chooses the id, once", async () => {
  const request = { experimentId: "0", userId: "ada", startTime: 1, runName: "again", tags: [] };
  await refused(store.createRun({ ...request, runId }), "RESOURCE_ALREADY_EXISTS");
  await refused(store.createRun({ ...request, runId: "../x" }), "INVALID_PARAMETER_VALUE");
  expect((await store.getRun(runId)).info.runName).toBe("r");
});

test("a run goes to another active experiment, its artifacts stay", async () => {
  const { artifactUri } = (await store.getRun(runId)).info;
  const other = await store.createExperiment({ name: "other" });
  await store.moveRun(runId, other);
  expect((await store.getRun(runId)).info).toMatchObject({ experimentId: other, artifactUri });
  await store.deleteExperiment("0");
  await refused(store.moveRun(runId, "0"), "INVALID_PARAMETER_VALUE");
});

test("an end time can be cleared", async () => {
  await store.updateRun(runId, { endTime: 5 });
  expect((await store.updateRun(runId, { endTime: null })).endTime).toBeUndefined();
  expect(queryFile(path, "SELECT end_time FROM runs")).toEqual([{ end_time: null }]);
});

test("deletion notes its time, restoring takes it away", async () => {
  const times = () => queryFile(path, "SELECT lifecycle_stage AS stage, deleted_time AS time FROM runs");
  const before = Date.now();
  await store.deleteRun(runId);
  expect(times()).toMatchObject([{ stage: "deleted" }]);
  expect(Number(times()[0]?.["time"])).toBeGreaterThanOrEqual(before);
  await store.restoreRun(runId);
  expect(times()).toEqual([{ stage: "active", time: null }]);
  await store.deleteExperiment("0");
  expect(Number(times()[0]?.["time"])).toBeGreaterThanOrEqual(before);
  await store.restoreExperiment("0");
  expect(times()).toEqual([{ stage: "active", time: null }]);
});

test("numbers have MLflow's types and its forms of NaN and infinity", async () => {
  const metrics = [
    point("a", Number.NaN, 7, 1),
    point("b", Number.NEGATIVE_INFINITY, 7, -1),
    point("c", 2, 7, 2 ** 40),
  ];
  await store.logBatch(runId, { metrics });
  const sql = (table: string) =>
    `SELECT key, value, is_nan, step, typeof(value) || typeof(timestamp) || typeof(step) || typeof(is_nan) AS types FROM ${table} ORDER BY key`;
  const types = "realintegerintegerinteger";
  const expected = [
    { key: "a", value: 0, is_nan: 1, step: 1, types },
    { key: "b", value: -1.797_693_134_862_315_7e308, is_nan: 0, step: -1, types },
    { key: "c", value: 2, is_nan: 0, step: 2 ** 40, types },
  ];
  expect(queryFile(path, sql("metrics"))).toEqual(expected);
  expect(queryFile(path, sql("latest_metrics"))).toEqual(expected);
});

test("a repeated point is one row, another value or time another row", async () => {
  const metrics = [
    point("m", 1),
    point("m", 1),
    point("m", 2),
    point("m", 1, 2),
    point("m", Number.NaN),
    point("m", 0),
  ];
  await store.logBatch(runId, { metrics });
  await store.logBatch(runId, { metrics });
  expect(queryFile(path, "SELECT count(*) AS n FROM metrics")).toEqual([{ n: 5 }]);
});

test("a batch of whole lists and a rest loses no row", async () => {
  for (const count of [99, 100, 101, 350]) {
    await store.logBatch(runId, {
      metrics: Array.from({ length: count }, (_, step) => point(`n${count}`, step, 1, step)),
    });
  }
  const sql = "SELECT key, count(*) AS n, min(step) AS first, max(step) AS last FROM metrics GROUP BY key ORDER BY n";
  expect(queryFile(path, sql)).toEqual([99, 100, 101, 350].map((n) => ({ key: `n${n}`, n, first: 0, last: n - 1 })));
});

test("history is the same however many points the run has", async () => {
  const few = Array.from({ length: 50 }, (_, step) => point("few", step, 1000 - step, step));
  await store.logBatch(runId, { metrics: few });
  const before = await store.getMetricHistory(runId, "few");
  expect(before.items).toEqual(few.toReversed());
  await store.logBatch(runId, { metrics: Array.from({ length: 20_001 }, (_, step) => point("many", 1, 1, step)) });
  expect(await store.getMetricHistory(runId, "few")).toEqual(before);
  expect((await store.getMetricHistory(runId, "many")).items).toHaveLength(20_001);
});

test("the same param is the same after UTF-8 too", async () => {
  const params = [{ key: "p", value: "lone \ud800 surrogate" }];
  await store.logBatch(runId, { params });
  await store.logBatch(runId, { params });
  await refused(store.logBatch(runId, { params: [{ key: "p", value: "other" }] }), "INVALID_PARAMETER_VALUE");
});

test("a failed batch leaves no row at all", async () => {
  const metrics = [point("m", 1), { ...point("m2", 1), modelId: "m-unknown" }];
  const batch = { params: [{ key: "p", value: "1" }], metrics, tags: [{ key: "t", value: "1" }] };
  await refused(store.logBatch(runId, batch), "RESOURCE_DOES_NOT_EXIST", /m-unknown/u);
  for (const table of ["params", "metrics", "latest_metrics"]) {
    expect(queryFile(path, `SELECT * FROM ${table}`)).toEqual([]);
  }
  expect(queryFile(path, "SELECT key FROM tags")).toEqual([{ key: "mlflow.runName" }]);
});

test("datasets and models hang on edges of MLflow's kinds", async () => {
  const dataset = { name: "iris", digest: "d", sourceType: "local", source: "{}" };
  const model = await store.createLoggedModel({ experimentId: "0", name: "net" });
  await store.logInputs(runId, [{ dataset, tags: [{ key: "mlflow.data.context", value: "train" }] }], [model.modelId]);
  await store.logOutputs(runId, [{ modelId: model.modelId, step: 4 }]);
  const [{ dataset_uuid: datasetId } = {}] = queryFile(path, "SELECT dataset_uuid FROM datasets");
  expect(datasetId).toMatch(/^[0-9a-f]{32}$/u);
  expect(queryFile(path, "SELECT source_type, source_id, destination_type, destination_id, step FROM inputs")).toEqual([
    { source_type: "DATASET", source_id: datasetId, destination_type: "RUN", destination_id: runId, step: 0 },
    {
      source_type: "RUN_INPUT",
      source_id: runId,
      destination_type: "MODEL_INPUT",
      destination_id: model.modelId,
      step: 0,
    },
    {
      source_type: "RUN_OUTPUT",
      source_id: runId,
      destination_type: "MODEL_OUTPUT",
      destination_id: model.modelId,
      step: 4,
    },
  ]);
  const tagSql =
    "SELECT t.name, t.value FROM input_tags t JOIN inputs i USING (input_uuid) WHERE i.source_type = 'DATASET'";
  expect(queryFile(path, tagSql)).toEqual([{ name: "mlflow.data.context", value: "train" }]);
  expect(queryFile(path, "SELECT status, lifecycle_stage, model_id FROM logged_models")).toEqual([
    { status: 1, lifecycle_stage: "active", model_id: model.modelId },
  ]);
  expect(model.modelId).toMatch(/^m-[0-9a-f]{32}$/u);
});

test("rows of older writers are read: no name but in the tag, no user, end time 0", async () => {
  changeFile(
    path,
    "UPDATE runs SET name = NULL, user_id = NULL, end_time = 0; UPDATE latest_metrics SET timestamp = NULL",
  );
  const { info } = await store.getRun(runId);
  expect(info).toMatchObject({ runName: "r", userId: "" });
  expect(info).not.toHaveProperty("endTime");
});

test("artifact places keep the query of a URI at its end", async () => {
  const experimentId = await store.createExperiment({ name: "s3", artifactLocation: "s3://bucket/a/?region=x" });
  const run = await store.createRun({ experimentId, userId: "u", startTime: 1, runName: "n", tags: [] });
  expect(run.info.artifactUri).toBe(`s3://bucket/a/${run.info.runId}/artifacts?region=x`);
  const plain = await store.createExperiment({ name: "plain", artifactLocation: "/w/what?#%20/" });
  const other = await store.createRun({ experimentId: plain, userId: "u", startTime: 1, runName: "n", tags: [] });
  expect(other.info.artifactUri).toBe(`/w/what?#%20/${other.info.runId}/artifacts`);
});
