import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openArtifactRepository } from "../../src/artifacts/open-artifact-repository.ts";
import type { Metric } from "../../src/entities/metric.ts";
import type { TrackingStore } from "../../src/store/tracking-store.ts";

export interface FilledStore {
  readonly experimentId: string;
  /** The run that has everything. */
  readonly runId: string;
  readonly modelId: string;
}

const startTime = 1_700_000_000_000;

export const metric = (key: string, value: number, timestamp: number, step: number): Metric => ({
  key,
  value,
  timestamp,
  step,
});

/** Writes, through the store's own interface, everything that it can say. `folder` takes files that become artifacts. */
export async function fillStore(store: TrackingStore, folder: string): Promise<FilledStore> {
  const experimentId = await store.createExperiment({ name: "digits/ñ", tags: [{ key: "owner", value: "böb\n2" }] });
  await store.createExperiment({ name: "elsewhere", artifactLocation: join(folder, "else where") });
  const old = await store.createExperiment({ name: "digits/old" });
  await store.createRun({
    experimentId: old,
    userId: "ada",
    startTime: 5,
    runName: "in a deleted experiment",
    tags: [],
  });
  await store.deleteExperiment(old);
  await store.setExperimentTag("0", { key: "note", value: "x".repeat(5000) });
  const runId = await makeFullRun(store, experimentId);
  await logArtifacts((await store.getRun(runId)).info.artifactUri, folder);
  const modelId = await makeModel(store, experimentId, runId);
  await makeSmallRuns(store, experimentId, runId);
  return { experimentId, runId, modelId };
}

async function makeFullRun(store: TrackingStore, experimentId: string): Promise<string> {
  const tags = [
    { key: "team", value: "vision" },
    { key: "mlflow.note.content", value: "a\nnote 'quoted' \"twice\" 🚀" },
    { key: "long", value: "é".repeat(8000) },
  ];
  const { info } = await store.createRun({ experimentId, userId: "ada", startTime, runName: "sémantic-🚀-1", tags });
  await store.logBatch(info.runId, {
    params: fullParams(),
    metrics: fullMetrics(),
    tags: [{ key: "team", value: "v2" }],
  });
  await store.logInputs(
    info.runId,
    [
      {
        dataset: {
          name: "train",
          digest: "abc",
          sourceType: "code",
          source: '{"a":1}',
          schema: "{}",
          profile: '{"n":3}',
        },
        tags: [{ key: "mlflow.data.context", value: "train" }],
      },
      { dataset: { name: "tëst", digest: "def", sourceType: "local", source: "{}" }, tags: [] },
    ],
    [],
  );
  await store.updateRun(info.runId, { status: "FINISHED", endTime: startTime + 12_345 });
  return info.runId;
}

function fullParams(): readonly { key: string; value: string }[] {
  const many = Array.from({ length: 130 }, (_, index) => ({ key: `many/p${index}`, value: String(index) }));
  const odd = [
    { key: "lr", value: "0.01" },
    { key: "empty", value: "" },
    { key: "a b.c-d:e/ñ", value: "line\nline\t'\"\\" },
    { key: "long", value: "ü".repeat(6000) },
  ];
  return [...odd, ...many];
}

function fullMetrics(): readonly Metric[] {
  return [
    ...[1, 0.5, 1 / 3, 0.1 + 0.2].map((value, step) => metric("loss", value, 2000 + step, step)),
    metric("nan", Number.NaN, 1, 0),
    metric("inf", Number.POSITIVE_INFINITY, 1, 0),
    metric("-inf", Number.NEGATIVE_INFINITY, 1, 0),
    metric("negative steps", 3.5, 7, -2),
    metric("negative steps", 3.25, 7, -(2 ** 40)),
    metric("big step", 1e300, 5, 2 ** 53 - 1),
    metric("huge step", 5e-324, startTime * 1000, 2 ** 62),
    metric("whole", 3, 5, 0),
    metric("late first", 2, 9, 1),
    metric("late first", 1, 2, 1),
    metric("mixed", Number.NaN, 3, 3),
    metric("mixed", -1, 3, 3),
    metric("mixed", Number.POSITIVE_INFINITY, 3, 2),
    metric("repeated", 4, 4, 4),
    metric("repeated", 4, 4, 4),
    ...Array.from({ length: 1200 }, (_, step) => metric("many", Math.sin(step), 3000 - step, step)),
  ];
}

async function logArtifacts(artifactUri: string, folder: string): Promise<void> {
  const repository = openArtifactRepository(artifactUri);
  const source = join(folder, "source");
  mkdirSync(join(source, "deep/er"), { recursive: true });
  writeFileSync(join(source, "deep/er/ü file.bin"), Buffer.from([0, 255, 10, 13]));
  writeFileSync(join(source, "empty.txt"), "");
  await repository.logArtifact(join(source, "empty.txt"), "console/attempt-1.log");
  await repository.logArtifact(source, "whole folder");
}

async function makeModel(store: TrackingStore, experimentId: string, runId: string): Promise<string> {
  const { modelId } = await store.createLoggedModel({
    experimentId,
    name: "net",
    modelType: "torch",
    sourceRunId: runId,
    params: [{ key: "depth", value: "3" }],
    tags: [{ key: "stage", value: "a" }],
  });
  await store.logOutputs(runId, [{ modelId, step: 4 }]);
  await store.logInputs(runId, [], [modelId]);
  await store.logBatch(runId, { metrics: [{ ...metric("score", 0.75, 50, 4), modelId }] });
  await store.finalizeLoggedModel(modelId, "LOGGED_MODEL_READY");
  return modelId;
}

/** A child, a deleted run, one that goes on, one that was killed and restored. */
async function makeSmallRuns(store: TrackingStore, experimentId: string, runId: string): Promise<void> {
  const make = async (runName: string, offsetMs: number, tags: { key: string; value: string }[] = []) =>
    (await store.createRun({ experimentId, userId: "bo", startTime: startTime + offsetMs, runName, tags })).info.runId;

  const child = await make("child", 10, [{ key: "mlflow.parentRunId", value: runId }]);
  await store.logBatch(child, { metrics: [metric("loss", 0.25, 1, 0)], params: [{ key: "lr", value: "0.1" }] });
  await store.updateRun(child, { status: "FAILED", endTime: startTime + 20 });
  const gone = await make("gone", 20);
  await store.logBatch(gone, { params: [{ key: "lr", value: "1" }] });
  await store.deleteRun(gone);
  await make("going on", 30);
  const killed = await make("killed", 30);
  await store.updateRun(killed, { status: "KILLED", endTime: startTime + 40, runName: "killed, renamed" });
  await store.deleteRun(killed);
  await store.restoreRun(killed);
}
