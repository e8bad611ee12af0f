import { expect, test } from "vitest";
import type { Experiment } from "../../src/entities/experiment.ts";
import type { Run } from "../../src/entities/run.ts";
import {
  experimentFromJson,
  metricFromJson,
  runFromJson,
  runInfoFromJson,
  statusFromJson,
} from "../../src/wire/rest-json-read.ts";
import type { JsonObject } from "../../src/wire/rest-json-values.ts";
import { integerFromJson, numberFromJson, numberToJson } from "../../src/wire/rest-json-values.ts";
import { experimentToJson, metricToJson, runToJson } from "../../src/wire/rest-json.ts";

const runId = "a".repeat(32);
const emptyRun: Run = {
  info: {
    runId,
    runName: "n",
    experimentId: "1",
    userId: "",
    status: "RUNNING",
    startTime: 1_700_000_000_000,
    lifecycleStage: "active",
    artifactUri: "/x",
  },
  data: { metrics: [], params: [], tags: [] },
  inputs: { datasetInputs: [], modelIds: [] },
  outputs: { models: [] },
};
const fullRun: Run = {
  info: { ...emptyRun.info, status: "KILLED", endTime: 1_700_000_000_500, lifecycleStage: "deleted" },
  data: {
    metrics: [
      { key: "m", value: Number.NaN, timestamp: 1, step: 0 },
      { key: "i", value: Number.POSITIVE_INFINITY, timestamp: 2, step: -3 },
      { key: "b", value: Number.MAX_VALUE, timestamp: 0, step: 0 },
    ],
    params: [
      { key: "p", value: "v" },
      { key: "e", value: "" },
    ],
    tags: [{ key: "t", value: "é\n" }],
  },
  inputs: {
    datasetInputs: [
      {
        dataset: { name: "n", digest: "d", sourceType: "local", source: "{}" },
        tags: [{ key: "mlflow.data.context", value: "train" }],
      },
      { dataset: { name: "n", digest: "e", sourceType: "local", source: "{}", schema: "s", profile: "p" }, tags: [] },
    ],
    modelIds: ["m-1"],
  },
  outputs: { models: [{ modelId: "m-2", step: 3 }] },
};

/** Texts that MLflow 3.17.2's `message_to_json` wrote for the same entities (`1.0` is Python's form of 1). */
const emptyText = `{"info":{"run_uuid":"${runId}","experiment_id":"1","run_name":"n","user_id":"","status":"RUNNING","start_time":1700000000000,"artifact_uri":"/x","lifecycle_stage":"active","run_id":"${runId}"},"data":{},"inputs":{},"outputs":{}}`;
const fullDataText = `{"metrics":[{"key":"m","value":"NaN","timestamp":1,"step":0},{"key":"i","value":"Infinity","timestamp":2,"step":-3},{"key":"b","value":1.7976931348623157e+308,"timestamp":0,"step":0}],"params":[{"key":"p","value":"v"},{"key":"e","value":""}],"tags":[{"key":"t","value":"é\\n"}]}`;
const fullInputsText = `{"dataset_inputs":[{"tags":[{"key":"mlflow.data.context","value":"train"}],"dataset":{"name":"n","digest":"d","source_type":"local","source":"{}"}},{"dataset":{"name":"n","digest":"e","source_type":"local","source":"{}","schema":"s","profile":"p"}}],"model_inputs":[{"model_id":"m-1"}]}`;

test("a run is written as MLflow writes it, empty lists and an unset end_time left out", () => {
  expect(JSON.stringify(runToJson(emptyRun))).toBe(emptyText);
  const json = runToJson(fullRun);
  expect(JSON.stringify(json["data"])).toBe(fullDataText);
  expect(JSON.stringify(json["inputs"])).toBe(fullInputsText);
  expect(JSON.stringify(json["outputs"])).toBe('{"model_outputs":[{"model_id":"m-2","step":3}]}');
  expect(json["info"]).toMatchObject({ status: "KILLED", end_time: 1_700_000_000_500, lifecycle_stage: "deleted" });
});

test.each([emptyRun, fullRun])("a run comes back through JSON text as it was", (run) => {
  expect(runFromJson(JSON.parse(JSON.stringify(runToJson(run))) as JsonObject)).toEqual(run);
});

test("an experiment is written as MLflow writes it and comes back", () => {
  const experiment: Experiment = {
    experimentId: "1",
    name: "n",
    artifactLocation: "/x",
    lifecycleStage: "active",
    creationTime: 1,
    lastUpdateTime: 2,
    tags: [{ key: "k", value: "v" }],
  };
  const text = JSON.stringify(experimentToJson(experiment));
  expect(text).toBe(
    '{"experiment_id":"1","name":"n","artifact_location":"/x","lifecycle_stage":"active","last_update_time":2,"creation_time":1,"tags":[{"key":"k","value":"v"}]}',
  );
  expect(experimentFromJson(JSON.parse(text) as JsonObject)).toEqual(experiment);
  const bare: Experiment = { experimentId: "1", name: "n", artifactLocation: "/x", lifecycleStage: "active", tags: [] };
  expect(Object.keys(experimentToJson(bare))).toEqual([
    "experiment_id",
    "name",
    "artifact_location",
    "lifecycle_stage",
  ]);
  expect(experimentFromJson({ ...experimentToJson(bare), workspace: "default" })).toEqual(bare);
});

test("a metric keeps its model and dataset", () => {
  const metric = { key: "m", value: 1.5, timestamp: 1, step: 2, modelId: "m-1", datasetName: "d", datasetDigest: "g" };
  const json = metricToJson(metric);
  expect(json).toEqual({
    key: "m",
    value: 1.5,
    timestamp: 1,
    step: 2,
    dataset_name: "d",
    dataset_digest: "g",
    model_id: "m-1",
  });
  expect(metricFromJson(json)).toEqual(metric);
});

test("what a server may send in another shape is read", () => {
  const info = runInfoFromJson({ run_uuid: runId, status: 5, start_time: "1700000000000", end_time: 0 });
  expect(info).toMatchObject({ runId, status: "KILLED", startTime: 1_700_000_000_000, runName: "" });
  expect(info).not.toHaveProperty("endTime");
  expect([statusFromJson("3"), statusFromJson("nope"), statusFromJson(6), statusFromJson(0)]).toEqual([
    "FINISHED",
    undefined,
    undefined,
    undefined,
  ]);
});

test.each([
  {},
  { info: {} },
  { info: { run_id: 5 } },
  { info: { run_id: runId, status: "nope" } },
  { info: { run_id: runId, start_time: "soon" } },
  { info: { run_id: runId, lifecycle_stage: "gone" } },
  { info: { run_id: runId }, data: { metrics: {} } },
  { info: { run_id: runId }, data: { metrics: [{ key: "m", value: "many" }] } },
  { info: { run_id: runId }, data: { tags: ["t"] } },
])("a message of another format is refused: %j", (json) => {
  expect(() => runFromJson(json)).toThrow(expect.objectContaining({ errorCode: "INTERNAL_ERROR" }));
});

test("numbers that are not finite travel as their names", () => {
  const values = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, -1.5, Number.MAX_VALUE];
  expect(values.map(numberToJson)).toEqual(["NaN", "Infinity", "-Infinity", 0, -1.5, Number.MAX_VALUE]);
  expect(values.map((value) => numberFromJson(JSON.parse(JSON.stringify(numberToJson(value)))))).toEqual(values);
  expect(["1.5", "-2e3", ".5"].map(numberFromJson)).toEqual([1.5, -2000, 0.5]);
  for (const wrong of ["", " 1", "abc", "0x10", "nan", "inf", true, null, undefined, [1], {}]) {
    expect(numberFromJson(wrong)).toBeUndefined();
  }
  expect(["5", 5, -3, "-3"].map(integerFromJson)).toEqual([5, 5, -3, -3]);
  for (const wrong of ["1.5", 1.5, "5.0", "NaN", Number.NaN, "", null, true])
    expect(integerFromJson(wrong)).toBeUndefined();
});
