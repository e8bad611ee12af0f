import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import type { Run } from "../../src/entities/run.ts";
import { hasRegistry, type RegistryStore } from "../../src/store/registry-store.ts";
import { metricsOf, paramsOf, tagsOf, TrackRig } from "../e2e/rig.ts";
import { clientVersions, isInstalled, newestMlflow, torchMlflow } from "./mlflow-versions.ts";
import { installScriptExtras } from "./server-extras.ts";
import { experimentOf, type Family, kinOf, trackScript } from "./tracked-script.ts";
import { describeIf, isFull, onlyFull, testIf } from "../only-if.ts";
import { describeWith } from "./with-mlflow.ts";

const extras = isInstalled(newestMlflow) ? installScriptExtras() : undefined;

let rig: TrackRig;
beforeEach(() => {
  rig = TrackRig.setup();
  return () => rig[Symbol.asyncDispose]();
});

describe.each(isFull ? clientVersions : [newestMlflow])("a script with MLflow $version", (version) => {
  const knowsModels = !version.version.startsWith("2.");

  describeWith(version)("inside track run", () => {
    test("files, figures, tables, images, datasets and models, at once and in the background", async () => {
      const { finished, home, others, said } = await trackScript(rig, { version, script: "scripts_logging.py" });
      const { runId } = home.info;
      expect(finished.code, finished.stderr).toBe(0);
      expect(said).toMatchObject({
        downloaded: "2",
        text: "hello",
        table: 3,
        image: [4, 4],
        listed: expect.arrayContaining(["all", "below", "figures", "images", "notes", "single.txt", "table.json"]),
        loaded: 1,
        loaded_by_run: 1,
        loaded_by_name: 1,
        by_alias: 1,
        registered: ["second", 1, true],
        searched: [runId],
        inputs: ["tiny", "zeros"],
        stream: 500,
        ...(knowsModels && {
          models: [["model", true, "READY", "gold"]],
          metric_of_model: expect.arrayContaining(["score"]),
        }),
      });
      expect([home.info.status, others]).toEqual(["FINISHED", []]);
      expect(filesOf(home)).toEqual(
        expect.arrayContaining([
          "all/deep/two words & é.txt",
          "all/one.txt",
          "below/this/single.txt",
          "figures/line.png",
          "images/black.png",
          "notes/a.json",
          "notes/a.txt",
          "notes/a.yaml",
          "single.txt",
          "table.json",
        ]),
      );
      expect(filesOf(home).filter((name) => name.startsWith("images/sample"))).toHaveLength(4);
      // Its last words, in the background, by which time the script had ended.
      expect(filesOf(home).filter((name) => name.startsWith("images/late"))).toHaveLength(40);
      expect(JSON.parse(readFileSync(join(home.info.artifactUri, "table.json"), "utf8"))).toMatchObject({
        data: [
          ["a", 1],
          ["b", 2],
          ["c", 3],
        ],
      });
      expect(metricsOf(home)).toMatchObject({ begun: 1, later: 1, stream: 999, ...(knowsModels && { score: 0.5 }) });
      expect(paramsOf(home)).toMatchObject({ param_later: "1", p0: "0", p4: "4" });
      expect(tagsOf(home)).toMatchObject({ tag_later: "1" });
      const inputs = home.inputs.datasetInputs.map(({ dataset, tags }) => [
        dataset.name,
        Object.fromEntries(tags.map(({ key, value }) => [key, value])),
      ]);
      expect(Object.fromEntries(inputs)).toEqual({
        tiny: { "mlflow.data.context": "training" },
        zeros: { "mlflow.data.context": "test", part: "2" },
      });
      // `log_model` says the metrics of the run again, for the model; that is nothing that anybody samples.
      expect(finished.stderr).not.toContain("system/");
      await using store = await rig.openStore();
      expect((await store.getMetricHistory(runId, "stream", { maxResults: 2000 })).items).toHaveLength(1000);
      expect((await store.getMetricHistory(runId, "begun")).items).toHaveLength(1);
      if (!hasRegistry(store)) throw new Error("no registry");
      await expectModels(await store.openRegistry(), runId);
      const modelIds = home.outputs.models.map(({ modelId }) => modelId);
      expect(modelIds).toHaveLength(knowsModels ? 1 : 0);
      for (const modelId of modelIds) {
        const model = await store.getLoggedModel(modelId);
        expect(model).toMatchObject({ name: "model", sourceRunId: runId, status: "LOGGED_MODEL_READY" });
        expect(model.metrics).toEqual(expect.arrayContaining([expect.objectContaining({ key: "score", value: 0.5 })]));
      }
    });

    test("workers that only help leave the run as it is; those that know its id log to it", async () => {
      const family = await trackScript(rig, { version, script: "scripts_crew.py" });
      const { finished, home, said } = family;
      expect(finished.code, finished.stderr).toBe(0);
      expect(said).toMatchObject({ started: home.info.runId, workers: [0, 1], forked: 0, still: home.info.runId });
      expect(metricsOf(home)).toMatchObject({ fork_total: 112, spawn_total: 112, worker_0: 19, worker_1: 19 });
      await using store = await rig.openStore();
      const threads = Object.fromEntries(Array.from({ length: 8 }, (_, n) => [`thread_${n}`, 20]));
      const behind = { behind_first: 20, behind_forked: 20, behind_last: 20 };
      const counts = { fork_total: 3, spawn_total: 3, worker_0: 20, worker_1: 20, ...threads, ...behind };
      for (const [key, count] of Object.entries(counts)) {
        expect((await store.getMetricHistory(home.info.runId, key)).items).toHaveLength(count);
      }
      // The two candidates of the grid search.
      const parents = family.others.map((run) => [tagsOf(run)["mlflow.parentRunId"], run.info.status]);
      expect(parents).toEqual([
        [home.info.runId, "FINISHED"],
        [home.info.runId, "FINISHED"],
      ]);
      expect(family.others.map((run) => paramsOf(run)["C"])).toEqual(expect.arrayContaining(["0.1", "1.0"]));
    });

    test("a script that names the store itself is served as one that does not", async () => {
      const request = { version, script: "scripts_store.py", args: [rig.trackingUri] };
      const { finished, home, others, said } = await trackScript(rig, request);
      expect(finished.code, finished.stderr).toBe(0);
      expect(said).toMatchObject({ started: home.info.runId, token_elsewhere: false, token: true, opened: false });
      expect(metricsOf(home)).toEqual({ by_variable: 1, by_client: 1, by_call: 1 });
      expect(others.map((run) => [run.info.runId, tagsOf(run)["mlflow.parentRunId"]])).toEqual([
        [said["child"], home.info.runId],
      ]);
      expect(Object.keys(tagsOf(others[0] ?? home))).not.toContain("track.nested");
      expect(finished.stderr).not.toContain("the program chose");
    });

    test("a folder of MLflow's that the script chooses works as it does without us", async () => {
      const request = { version, script: "scripts_elsewhere.py", env: { MLFLOW_ALLOW_FILE_STORE: "true" } };
      // What is there before has an id that the other store does not know.
      const made = await rig.track(["experiments", "create", experimentOf(request)]);
      expect(made.code, made.stderr).toBe(0);
      const { finished, home, others, said } = await trackScript(rig, request);
      expect(finished.code, finished.stderr).toBe(0);
      expect(home.info.experimentId).not.toBe("0");
      expect(said).toMatchObject({ elsewhere: ["0", null], back: home.info.experimentId });
      expect(metricsOf(home)).toEqual({});
      expect(kinOf({ finished, home, others, said })).toEqual([["back", home.info.runId, "FINISHED"]]);
      expect(finished.stderr).toContain("the program chose ./mlruns for its runs");
      expect(finished.stderr).toContain("hint: leave out set_tracking_uri\n");
    });

    test.each([
      ["says so", 0, "FAILED"],
      ["raises", 1, "FAILED"],
      ["is told to end", 143, "KILLED"],
    ])("a program that has fitted and then %s: exit code %i, %s", async (how, code, status) => {
      const family = await trackScript(rig, { version, script: "scripts_ends.py", args: [how] });
      const { finished, home, said, others } = family;
      expect(said["run"]).toBe(home.info.runId);
      expect([finished.code ?? (finished.signal === "SIGTERM" ? 143 : -1), home.info.status]).toEqual([code, status]);
      expect(others).toEqual([]);
      expect(metricsOf(home)).toHaveProperty("training_score");
    });
  });
});

describeIf(extras !== undefined, "what it needs beside MLflow could not be installed")("other people's loggers", () => {
  const env = { PYTHONPATH: extras ?? "" };

  test("an optuna study: each trial is a child, in threads and by its callback too", async () => {
    const family = await trackScript(rig, { version: newestMlflow, script: "scripts_sweep.py", env });
    const { finished, home, said } = family;
    const { runId } = home.info;
    expect(finished.code, finished.stderr).toBe(0);
    expect(said["started"]).toBe(runId);
    expect(home.info.status).toBe("FINISHED");
    expect(paramsOf(home)).toEqual({ best_x: expect.any(String) });
    expect(metricsOf(home)).toEqual({ best: expect.any(Number) });
    const trial = (name: string, count: number) =>
      Array.from({ length: count }, (_, n) => [`${name} ${n}`, runId, n === 1 ? "FAILED" : "FINISHED"]);
    const called = [
      ["0", runId, "FINISHED"],
      ["1", runId, "FINISHED"],
    ];
    expect(kinOf(family)).toEqual([...called, ...trial("bare", 3), ...trial("inside", 3), ...trial("threads", 4)]);
    for (const run of family.others) expect(paramsOf(run)).toHaveProperty("x");
    expect(family.others.filter((run) => metricsOf(run)["seen"] !== undefined)).toHaveLength(2);
  });

  testIf(isFull, onlyFull)("--autolog with LightGBM", async () => {
    const request = { version: newestMlflow, script: "scripts_boosting.py", options: ["--autolog"], env };
    const family = await trackScript(rig, request);
    expect(family.finished.code, family.finished.stderr).toBe(0);
    expect(family.others).toEqual([]);
    expect(paramsOf(family.home)).toMatchObject({ num_leaves: "3", num_boost_round: "5" });
    expect(metricsOf(family.home)).toEqual({ "train-binary_logloss": expect.any(Number) });
    expect(family.home.outputs.models).toHaveLength(1);
  });
});

describeIf(isFull && isInstalled(torchMlflow), onlyFull)("with PyTorch", () => {
  test.each([[[]], [["--no-python-hook"]]])("Lightning's MLFlowLogger logs to the run (%j)", async (options) => {
    const family = await trackScript(rig, { version: torchMlflow, script: "scripts_lightning.py", options });
    expectOnly(family);
    expect(family.said["logged"]).toBe(family.home.info.runId);
    expect(paramsOf(family.home)).toEqual({ width: "1" });
    expect(metricsOf(family.home)).toMatchObject({ train_loss: expect.any(Number), epoch: 1 });
    expect(tagsOf(family.home)).not.toHaveProperty("mlflow.parentRunId");
    expect(filesOf(family.home).filter((name) => name.endsWith(".ckpt"))).toHaveLength(1);
    expect(family.finished.stderr).toContain("chose experiment lightning_logs; the run stays where it was put");
  });

  test("the Hugging Face Trainer logs to the run, and names it", async () => {
    const family = await trackScript(rig, { version: torchMlflow, script: "scripts_transformers.py" });
    expectOnly(family);
    expect(family.home.info.runName).toBe("named by the trainer");
    expect(paramsOf(family.home)).toMatchObject({ n_layer: "1", num_train_epochs: "2" });
    expect(metricsOf(family.home)).toMatchObject({ loss: expect.any(Number), train_runtime: expect.any(Number) });
  });

  test("two ranks that torchrun starts are in one run", async () => {
    const shell = 'exec "$0" -m torch.distributed.run --nproc_per_node 2 "$@"';
    const family = await trackScript(rig, { version: torchMlflow, script: "keeper_workers.py", args: ["rank"], shell });
    expectOnly(family);
    expect(metricsOf(family.home)).toEqual({ rank_0: 1, rank_1: 1 });
  });
});

function expectOnly({ finished, home, others }: Family): void {
  expect(finished.code, finished.stderr).toBe(0);
  expect(home.info.status).toBe("FINISHED");
  expect(others).toEqual([]);
}

async function expectModels(registry: RegistryStore, runId: string): Promise<void> {
  for (const [name, tags] of [
    ["first", []],
    ["second", [{ key: "from", value: "script" }]],
  ] as const) {
    expect(await registry.getModelVersion(name, 1)).toMatchObject({ name, runId, tags, status: "READY" });
  }
  expect((await registry.getModelVersionByAlias("second", "champion"))?.version).toBe(1);
}

function filesOf({ info }: Run): readonly string[] {
  return readdirSync(info.artifactUri, { recursive: true, encoding: "utf8" });
}
