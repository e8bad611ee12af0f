import type { TrackingStore } from "../../src/store/tracking-store.ts";
import { metric } from "./fill-store.ts";

/** The story of `python/make_story.py`, told to our store; both must leave the same rows. */
export async function fillStory(store: TrackingStore): Promise<void> {
  const experimentId = await store.createExperiment({ name: "story/ñ", tags: [{ key: "owner", value: "böb" }] });
  await store.setExperimentTag(experimentId, { key: "owner", value: "ada" });
  await store.renameExperiment(await store.createExperiment({ name: "second" }), "renamed");
  await store.deleteExperiment(await store.createExperiment({ name: "third" }));
  await fillMainRun(store, experimentId);

  const make = async (runName: string, startTime: number, tags: { key: string; value: string }[]) =>
    (await store.createRun({ experimentId, userId: "ada", startTime, runName, tags: [userTag, ...tags] })).info.runId;
  await store.deleteRun(await make("deleted", 3000, []));
  const restored = await make("restored", 4000, [{ key: "gone", value: "x" }]);
  await store.deleteTag(restored, "gone");
  await store.deleteRun(restored);
  await store.restoreRun(restored);
}

const userTag = { key: "mlflow.user", value: "ada" };

async function fillMainRun(store: TrackingStore, experimentId: string): Promise<void> {
  const tags = [userTag, { key: "team", value: "v1" }];
  const { info } = await store.createRun({ experimentId, userId: "ada", startTime: 1000, runName: "the run", tags });
  const { runId } = info;
  await store.logBatch(runId, {
    metrics: [metric("loss", 0.5, 1, 0), metric("loss", 3, 2, 2 ** 62), metric("nan", Number.NaN, 1, -5)],
    params: [
      { key: "lr", value: "0.1" },
      { key: "empty", value: "" },
    ],
    tags: [
      { key: "team", value: "v2" },
      { key: "note", value: "a\nb" },
    ],
  });
  const train = { name: "train", digest: "abc", sourceType: "code", source: "{}", schema: "{}", profile: "{}" };
  const test = { name: "test", digest: "def", sourceType: "local", source: "{}" };
  const trainTags = [{ key: "mlflow.data.context", value: "train" }];
  await store.logInputs(
    runId,
    [
      { dataset: train, tags: trainTags },
      { dataset: test, tags: [] },
    ],
    [],
  );
  await store.logInputs(runId, [{ dataset: test, tags: [] }], []);
  await store.updateRun(runId, { runName: "renamed run" });

  const { modelId } = await store.createLoggedModel({
    experimentId,
    name: "net",
    sourceRunId: runId,
    tags: [{ key: "stage", value: "a" }],
    params: [{ key: "depth", value: "3" }],
    modelType: "torch",
  });
  await store.logOutputs(runId, [{ modelId, step: 4 }]);
  await store.logInputs(runId, [], [modelId]);
  const about = { modelId, datasetName: "train", datasetDigest: "abc" };
  await store.logBatch(runId, { metrics: [{ ...metric("score", 0.75, 5, 4), ...about }] });
  await store.setLoggedModelTags(modelId, [{ key: "stage", value: "b" }]);
  await store.finalizeLoggedModel(modelId, "LOGGED_MODEL_READY");
  await store.updateRun(runId, { status: "FAILED", endTime: 2000 });
}
