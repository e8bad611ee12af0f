import { beforeAll, expect, test } from "vitest";
import type { ArtifactFile } from "../../src/artifacts/artifact-repository.ts";
import { openArtifactRepository } from "../../src/artifacts/open-artifact-repository.ts";
import type { Run } from "../../src/entities/run.ts";
import { openTrackingStore } from "../../src/store/open-store.ts";
import { experimentToJson, type JsonObject, metricToJson, runToJson } from "../../src/wire/rest-json.ts";
import { TrackRig } from "../e2e/rig.ts";
import { type FilledStore, fillStore } from "./fill-store.ts";
import { MlflowServer } from "./mlflow-server.ts";
import { newestMlflow } from "./mlflow-versions.ts";
import { describeWith } from "./with-mlflow.ts";

interface Scene extends FilledStore {
  readonly rig: TrackRig;
  readonly server: MlflowServer;
  readonly runs: readonly Run[];
}

describeWith(newestMlflow)(`answers of MLflow's server ${newestMlflow.version} for our runs`, () => {
  let scene: Scene;

  beforeAll(async () => {
    const rig = TrackRig.setup();
    const filled = await fillDatabase(rig);
    const server = await MlflowServer.start(newestMlflow, rig.trackingUri, rig.cwd);
    scene = { rig, server, ...filled, runs: await rig.runs() };
    return async () => {
      await server[Symbol.asyncDispose]();
      await rig[Symbol.asyncDispose]();
    };
  });

  test("runs/get says what our JSON of a run says, field by field", async () => {
    expect(scene.runs).toHaveLength(6);
    for (const run of scene.runs) {
      const answer = await scene.server.get("runs/get", { run_id: run.info.runId });
      expect(answer).toEqual({ run: runToJson(run) });
    }
  });

  test("runs/get says what `track show --json` prints", async () => {
    const answer = await scene.server.get("runs/get", { run_id: scene.runId });
    const { stdout, stderr, code } = await scene.rig.track(["show", scene.runId, "--json"]);
    expect({ stderr, code }).toEqual({ stderr: "", code: 0 });
    expect(JSON.parse(stdout)).toEqual(answer);
  });

  test("runs/search gives the same runs in the same order", async () => {
    const body = { experiment_ids: [scene.experimentId], run_view_type: "ALL", order_by: ["metrics.loss DESC"] };
    await using store = await scene.rig.openStore();
    const ours = await store.searchRuns({
      experimentIds: [scene.experimentId],
      viewType: "ALL",
      orderBy: ["metrics.loss DESC"],
    });
    expect(ours.items).toHaveLength(5);
    expect(await scene.server.post("runs/search", body)).toEqual({ runs: ours.items.map(asSearched).map(runToJson) });
  });

  test("experiments/search says what our JSON of experiments says", async () => {
    const answer = await scene.server.post("experiments/search", { max_results: 100, view_type: "ALL" });
    await using store = await scene.rig.openStore();
    const ours = (await store.searchExperiments({ viewType: "ALL" })).items.map(experimentToJson);
    expect(ours).toHaveLength(4);
    expect(answer).toEqual({ experiments: ours.map((experiment) => ({ ...experiment, workspace: "default" })) });
  });

  test("experiments/search says what `track experiments --json` prints", async () => {
    const answer = await scene.server.post("experiments/search", { max_results: 100 });
    const { stdout, stderr, code } = await scene.rig.track(["experiments", "--json"]);
    expect({ stderr, code }).toEqual({ stderr: "", code: 0 });
    expect(answer).toEqual({ experiments: withWorkspace(JSON.parse(stdout)) });
  });

  test("metrics/get-history gives the same points in the same order", async () => {
    await using store = await scene.rig.openStore();
    for (const key of ["loss", "nan", "inf", "-inf", "negative steps", "huge step", "late first", "mixed", "many"]) {
      const query = { run_id: scene.runId, metric_key: key, max_results: "25000" };
      const { items } = await store.getMetricHistory(scene.runId, key);
      expect(await scene.server.get("metrics/get-history", query), key).toEqual({ metrics: items.map(metricToJson) });
    }
  });

  test("artifacts/list names the same files", async () => {
    const { artifactUri } = (scene.runs.find(({ info }) => info.runId === scene.runId) as Run).info;
    for (const path of ["", "whole folder", "whole folder/deep/er", "none"]) {
      const files = await openArtifactRepository(artifactUri).listArtifacts(path);
      const answer = await scene.server.get("artifacts/list", { run_id: scene.runId, path });
      expect(answer["files"] ?? [], path).toEqual(files.map(fileToJson));
    }
  });
});

async function fillDatabase(rig: TrackRig): Promise<FilledStore> {
  await using store = await openTrackingStore(rig.trackingUri, { mode: "write" });
  return await fillStore(store, rig.cwd);
}

/** The newest server knows workspaces. */
function withWorkspace(document: { experiments: readonly JsonObject[] }): readonly JsonObject[] {
  return document.experiments.map((experiment) => ({ ...experiment, workspace: "default" }));
}

/** MLflow leaves the models that a run used out of a search. */
function asSearched(run: Run): Run {
  return { ...run, inputs: { ...run.inputs, modelIds: [] } };
}

/** MLflow leaves the size of an empty file out. */
function fileToJson({ path, isFolder, size }: ArtifactFile): JsonObject {
  return { path, is_dir: isFolder, ...(size !== undefined && size > 0 && { file_size: size }) };
}
