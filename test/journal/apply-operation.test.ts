import { expect, test } from "vitest";
import type { StoreOperation } from "../../src/entities/journal-entry.ts";
import type { ApplyContext } from "../../src/journal/apply-operation.ts";
import { applyOperation } from "../../src/journal/apply-operation.ts";
import { createRun, drainRig, dump } from "./drain-rig.ts";
import { queryFile } from "../store/sqlite-rig.ts";
import { runId } from "./journal-rig.ts";

const modelId = `m-${"1".repeat(32)}`;
const pair = { key: "k", value: "v" };
const dataset = { name: "d", digest: "1", sourceType: "local", source: "{}" };

/** Every operation there is, each in a state of the store that takes it; the experiment that `createRun` makes gets id 1. */
const operations: StoreOperation[] = [
  createRun,
  { op: "log-batch", runId, metrics: [["loss", 0.5, 1, 1]], params: [pair], tags: [pair] },
  { op: "delete-tag", runId, key: "k" },
  { op: "delete-run", runId },
  { op: "restore-run", runId },
  {
    op: "create-logged-model",
    modelId,
    experimentId: "1",
    name: "m",
    sourceRunId: runId,
    params: [pair],
    tags: [pair],
  },
  { op: "log-logged-model-params", modelId, params: [{ key: "p2", value: "v" }] },
  { op: "set-logged-model-tags", modelId, tags: [{ key: "t2", value: "v" }] },
  { op: "delete-logged-model-tag", modelId, key: "t2" },
  { op: "finalize-logged-model", modelId, status: "LOGGED_MODEL_READY" },
  { op: "log-inputs", runId, datasets: [{ dataset, tags: [pair] }], modelIds: [modelId] },
  { op: "log-outputs", runId, models: [{ modelId, step: 3 }] },
  { op: "create-experiment", name: "second", tags: [pair] },
  { op: "set-experiment-tag", experimentId: "2", key: "e", value: "v" },
  { op: "delete-experiment-tag", experimentId: "2", key: "e" },
  { op: "delete-experiment", experimentId: "2" },
  { op: "restore-experiment", experimentId: "2" },
  { op: "rename-experiment", experimentId: "2", name: "other" },
  { op: "update-run", runId, status: "FINISHED", endTime: 5, runName: "renamed" },
  { op: "delete-logged-model", modelId },
];

test("every operation reaches the store, and a second time changes nothing and is no error", async () => {
  using rig = drainRig();
  const { openArtifacts } = rig.options();
  const context: ApplyContext = { folder: rig.journal, openArtifacts };
  await using store = await rig.openStore();
  for (const operation of operations) {
    const before = dump(rig.database);
    await applyOperation(store, operation, context);
    const after = dump(rig.database);
    expect(after, operation.op).not.toEqual(before);
    await applyOperation(store, operation, context);
    expect(dump(rig.database), `${operation.op} again`).toEqual(after);
  }
  expect(queryFile(rig.database, "SELECT name, status, end_time FROM runs")).toEqual([
    { name: "renamed", status: "FINISHED", end_time: 5 },
  ]);
});

test("a run of the same id that is another one is not taken over", async () => {
  using rig = drainRig();
  const { openArtifacts } = rig.options();
  await using store = await rig.openStore();
  await applyOperation(store, createRun, { folder: rig.journal, openArtifacts });
  const other = { ...createRun, createId: "other" };
  await expect(applyOperation(store, other, { folder: rig.journal, openArtifacts })).rejects.toMatchObject({
    errorCode: "RESOURCE_ALREADY_EXISTS",
  });
});

test("two processes that make an experiment of one name at once both get it", async () => {
  using rig = drainRig();
  const { openArtifacts } = rig.options();
  const context: ApplyContext = { folder: rig.journal, openArtifacts };
  await using first = await rig.openStore();
  await using second = await rig.openStore();
  const other: StoreOperation = { ...createRun, runId: "f".repeat(32), createId: "2" } as StoreOperation;
  await Promise.all([applyOperation(first, createRun, context), applyOperation(second, other, context)]);
  expect(queryFile(rig.database, "SELECT count(DISTINCT experiment_id) AS n, count(*) AS runs FROM runs")).toEqual([
    { n: 1, runs: 2 },
  ]);
});

test("ids that a server gave are put in for the journal's own", async () => {
  using rig = drainRig();
  const { openArtifacts } = rig.options();
  const ids = new Map([["journal-id", runId]]);
  const runIds = {
    toStore: (id: string) => ids.get(id) ?? id,
    isCreated: () => false,
    mayExist: () => false,
    created: () => {},
  };
  const context: ApplyContext = { folder: rig.journal, openArtifacts, runIds };
  await using store = await rig.openStore();
  await applyOperation(store, createRun, context);
  await applyOperation(store, { op: "log-batch", runId: "journal-id", tags: [pair] }, context);
  expect(queryFile(rig.database, "SELECT value FROM tags WHERE key = 'k'")).toEqual([{ value: "v" }]);
});
