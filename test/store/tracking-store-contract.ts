import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Metric } from "../../src/entities/metric.ts";
import type { Run } from "../../src/entities/run.ts";
import { mlflowTags } from "../../src/entities/tag-keys.ts";
import type { Tag } from "../../src/entities/tag.ts";
import type { ErrorCode } from "../../src/errors.ts";
import type { SearchLoggedModelsQuery, TrackingStore } from "../../src/store/tracking-store.ts";

/** An empty store (only experiment 0) with what must go away after the test. */
export interface StoreRig extends AsyncDisposable {
  readonly store: TrackingStore;
}

const largest = 1.797_693_134_862_315_7e308;
const unknownRun = "f".repeat(32);

/** What an older server, or its database, cannot do. */
export interface StoreLimits {
  readonly keepsExperimentTags?: boolean;
  /** PostgreSQL has no NUL in its texts. */
  readonly keepsNoNul?: boolean;
}

/** What every tracking store promises, by MLflow's rules (contract 2 to 4); each backend runs the same suite. */
export function describeTrackingStore(name: string, open: () => Promise<StoreRig>, limits: StoreLimits = {}): void {
  describe(name, () => {
    let rig: StoreRig;
    let store: TrackingStore;

    beforeEach(async () => {
      rig = await open();
      store = rig.store;
    });
    afterEach(() => rig[Symbol.asyncDispose]());

    const createRun = (tags: readonly Tag[] = [], experimentId = "0"): Promise<Run> =>
      store.createRun({ experimentId, userId: "ada", startTime: 1000, runName: "brave-ant-1", tags });
    const newRunId = async (): Promise<string> => (await createRun()).info.runId;
    const history = async (runId: string, key: string) => (await store.getMetricHistory(runId, key)).items;
    const latest = async (runId: string) => (await store.getRun(runId)).data.metrics;

    describe("experiments", () => {
      test("experiment 0 is there", async () => {
        expect(await store.getExperiment("0")).toMatchObject({ name: "Default", lifecycleStage: "active" });
      });

      test("a new one has its tags, its times and a location that ends with its id", async () => {
        const before = Date.now();
        const id = await store.createExperiment({ name: "mnist", tags: [{ key: "team", value: "vision" }] });
        const experiment = await store.getExperiment(id);
        expect(experiment).toMatchObject({ experimentId: id, name: "mnist", tags: [{ key: "team", value: "vision" }] });
        expect(experiment.artifactLocation).toMatch(new RegExp(`[/:]${id}$`, "u"));
        expect(experiment.creationTime).toBeGreaterThanOrEqual(before);
        expect(experiment.lastUpdateTime).toBe(experiment.creationTime);
        expect(await store.getExperimentByName("mnist")).toEqual(experiment);
      });

      test("a given location is kept as it is", async () => {
        const id = await store.createExperiment({ name: "elsewhere", artifactLocation: "/data/art" });
        expect((await store.getExperiment(id)).artifactLocation).toBe("/data/art");
        const run = await createRun([], id);
        expect(run.info.artifactUri).toBe(`/data/art/${run.info.runId}/artifacts`);
      });

      test("a name in use is refused, also that of a deleted one", async () => {
        const id = await store.createExperiment({ name: "taken" });
        await refused(store.createExperiment({ name: "taken" }), "RESOURCE_ALREADY_EXISTS");
        await store.deleteExperiment(id);
        await refused(store.createExperiment({ name: "taken" }), "RESOURCE_ALREADY_EXISTS");
      });

      test("unknown ones do not exist", async () => {
        await refused(store.getExperiment("4711"), "RESOURCE_DOES_NOT_EXIST");
        expect(await store.getExperimentByName("nobody")).toBeUndefined();
        await refused(store.createExperiment({ name: "" }), "INVALID_PARAMETER_VALUE");
      });

      test("deleting takes the runs along, restoring brings all of them back", async () => {
        const id = await store.createExperiment({ name: "passing" });
        const { runId } = (await createRun([], id)).info;
        await store.deleteExperiment(id);
        expect((await store.getExperiment(id)).lifecycleStage).toBe("deleted");
        expect((await store.getRun(runId)).info.lifecycleStage).toBe("deleted");
        await refused(createRun([], id), "INVALID_PARAMETER_VALUE", /must be in the 'active' state/u);
        await refused(store.deleteExperiment(id), "RESOURCE_DOES_NOT_EXIST");
        await store.restoreExperiment(id);
        expect((await store.getRun(runId)).info.lifecycleStage).toBe("active");
        await refused(store.restoreExperiment(id), "RESOURCE_DOES_NOT_EXIST");
      });

      test("renaming keeps the id; a deleted one cannot be renamed", async () => {
        const id = await store.createExperiment({ name: "old" });
        await store.renameExperiment(id, "new");
        expect((await store.getExperimentByName("new"))?.experimentId).toBe(id);
        expect(await store.getExperimentByName("old")).toBeUndefined();
        await store.deleteExperiment(id);
        await refused(store.renameExperiment(id, "newer"), "INVALID_STATE");
      });

      test("tags are set, and set again", async () => {
        await store.setExperimentTag("0", { key: "k", value: "1" });
        await store.setExperimentTag("0", { key: "k", value: "2" });
        expect((await store.getExperiment("0")).tags).toEqual([{ key: "k", value: "2" }]);
      });

      test("tags are deleted, or stay where the server knows no such call", async () => {
        await store.setExperimentTag("0", { key: "k", value: "1" });
        if (limits.keepsExperimentTags === true) {
          await refused(store.deleteExperimentTag("0", "k"), "NOT_IMPLEMENTED");
          expect((await store.getExperiment("0")).tags).toEqual([{ key: "k", value: "1" }]);
          return;
        }
        await store.deleteExperimentTag("0", "k");
        expect((await store.getExperiment("0")).tags).toEqual([]);
        await refused(store.deleteExperimentTag("0", "k"), "RESOURCE_DOES_NOT_EXIST");
      });
    });

    describe("runs", () => {
      test("a new run is RUNNING, active, without an end, below its experiment's location", async () => {
        const run = await createRun([{ key: "a", value: "b" }]);
        expect(run.info).toMatchObject({ experimentId: "0", userId: "ada", status: "RUNNING", startTime: 1000 });
        expect(run.info.runId).toMatch(/^[0-9a-f]{32}$/u);
        expect(run.info.endTime).toBeUndefined();
        const { artifactLocation } = await store.getExperiment("0");
        expect(run.info.artifactUri).toBe(`${artifactLocation}/${run.info.runId}/artifacts`);
        expect(byKey(run.data.tags)).toEqual([
          { key: "a", value: "b" },
          { key: mlflowTags.runName, value: "brave-ant-1" },
        ]);
        expect(await store.getRun(run.info.runId)).toEqual(run);
      });

      test("the name may come from the tag, but must not contradict it", async () => {
        const request = { experimentId: "0", userId: "ada", startTime: 1, runName: "" };
        const tags = [{ key: mlflowTags.runName, value: "by-tag" }];
        expect((await store.createRun({ ...request, tags })).info.runName).toBe("by-tag");
        await refused(
          store.createRun({ ...request, runName: "other", tags }),
          "INVALID_PARAMETER_VALUE",
          /other.*by-tag/u,
        );
      });

      test("needs an experiment that exists", async () => {
        await refused(createRun([], "4711"), "RESOURCE_DOES_NOT_EXIST");
      });

      test("column and tag of the name stay equal, whichever is written", async () => {
        const runId = await newRunId();
        await store.updateRun(runId, { runName: "second" });
        expect(await nameTwice(store, runId)).toEqual(["second", "second"]);
        await store.logBatch(runId, { tags: [{ key: mlflowTags.runName, value: "third" }] });
        expect(await nameTwice(store, runId)).toEqual(["third", "third"]);
        await store.updateRun(runId, { runName: "" });
        expect(await nameTwice(store, runId)).toEqual(["third", "third"]);
      });

      test("an update changes only what it names", async () => {
        const runId = await newRunId();
        expect(await store.updateRun(runId, { status: "KILLED", endTime: 2000 })).toMatchObject({
          status: "KILLED",
          endTime: 2000,
        });
        await store.updateRun(runId, { status: "RUNNING" });
        expect((await store.getRun(runId)).info).toMatchObject({ status: "RUNNING", endTime: 2000, startTime: 1000 });
      });

      test("a deleted run refuses writes, a finished one does not", async () => {
        const runId = await newRunId();
        await store.updateRun(runId, { status: "FINISHED", endTime: 5 });
        await store.logBatch(runId, { metrics: [point("late", 1)] });
        await store.deleteRun(runId);
        await store.deleteRun(runId);
        expect((await store.getRun(runId)).info.lifecycleStage).toBe("deleted");
        const active = /must be in the 'active' state/u;
        await refused(store.logBatch(runId, { metrics: [point("m", 1)] }), "INVALID_PARAMETER_VALUE", active);
        await refused(store.updateRun(runId, { status: "FAILED" }), "INVALID_PARAMETER_VALUE", active);
        await refused(store.deleteTag(runId, mlflowTags.runName), "INVALID_PARAMETER_VALUE", active);
        await store.restoreRun(runId);
        await store.logBatch(runId, { metrics: [point("m", 1)] });
        expect(await latest(runId)).toHaveLength(2);
      });

      test("unknown runs do not exist", async () => {
        await refused(store.getRun(unknownRun), "RESOURCE_DOES_NOT_EXIST");
        await refused(store.updateRun(unknownRun, { status: "FAILED" }), "RESOURCE_DOES_NOT_EXIST");
        await refused(store.deleteRun(unknownRun), "RESOURCE_DOES_NOT_EXIST");
        await refused(store.restoreRun(unknownRun), "RESOURCE_DOES_NOT_EXIST");
        await refused(store.logBatch(unknownRun, { metrics: [point("m", 1)] }), "RESOURCE_DOES_NOT_EXIST");
        expect(await history(unknownRun, "m")).toEqual([]);
      });

      test("ids are found by how they begin, deleted runs included", async () => {
        const runId = await newRunId();
        await newRunId();
        await store.deleteRun(runId);
        expect(await store.findRunIds(runId.slice(0, 12), 10)).toEqual([runId]);
        expect(await store.findRunIds("", 1)).toHaveLength(1);
        expect(await store.findRunIds("zz", 10)).toEqual([]);
      });
    });

    describe("metrics", () => {
      test("history is ordered by timestamp, step, value, and drops exact repeats", async () => {
        const runId = await newRunId();
        const points = [
          point("loss", 3, 20, 1),
          point("loss", 2, 10, 5),
          point("loss", 1, 10, 2),
          point("loss", 0, 10, 2),
        ];
        await store.logBatch(runId, { metrics: points });
        await store.logBatch(runId, { metrics: points.slice(0, 2) });
        expect((await history(runId, "loss")).map((metric) => metric.value)).toEqual([0, 1, 2, 3]);
      });

      test("history comes in pages that together are the whole", async () => {
        const runId = await newRunId();
        const nans = [point("x", Number.NaN, 4, 4), point("x", 0, 4, 4)];
        const points = [...Array.from({ length: 7 }, (_, index) => point("x", index, 4, index)), ...nans];
        await store.logBatch(runId, { metrics: points });
        const seen: number[] = [];
        for (let pageToken: string | undefined = ""; pageToken !== undefined;) {
          const page = await store.getMetricHistory(runId, "x", { maxResults: 2, pageToken });
          expect(page.items.length).toBeLessThanOrEqual(2);
          seen.push(...page.items.map((metric) => metric.value));
          pageToken = page.nextPageToken;
        }
        expect(seen).toEqual((await history(runId, "x")).map((metric) => metric.value));
        expect(seen).toHaveLength(9);
        await refused(store.getMetricHistory(runId, "x", { maxResults: 0 }), "INVALID_PARAMETER_VALUE");
        await refused(store.getMetricHistory(runId, "x", { pageToken: "%%%" }), "INVALID_PARAMETER_VALUE");
      });

      test("NaN stays NaN, infinities become the largest numbers", async () => {
        const runId = await newRunId();
        const values = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 5e-324, -0.5];
        const metrics = values.map((value, index) => point(`m${index}`, value));
        await store.logBatch(runId, { metrics });
        const stored = [Number.NaN, largest, -largest, 5e-324, -0.5];
        expect(byKey(await latest(runId)).map((metric) => metric.value)).toEqual(stored);
        const kept = await Promise.all(values.map((_, index) => history(runId, `m${index}`)));
        expect(kept.flat().map((metric) => metric.value)).toEqual(stored);
      });

      const cases: [title: string, first: Metric, second: Metric, winner: 1 | 2][] = [
        ["a larger step wins over a later time", point("k", 1, 9, 1), point("k", 2, 5, 2), 2],
        ["a smaller step loses", point("k", 1, 5, 2), point("k", 2, 9, 1), 1],
        ["at one step the later time wins", point("k", 9, 5, 1), point("k", 1, 6, 1), 2],
        ["at one step and time the larger value wins", point("k", 1, 5, 1), point("k", 2, 5, 1), 2],
        ["at one step and time a smaller value loses", point("k", 2, 5, 1), point("k", 1, 5, 1), 1],
        ["NaN compares as 0 against less", point("k", -1, 5, 1), point("k", Number.NaN, 5, 1), 2],
        ["NaN compares as 0 against more", point("k", 1, 5, 1), point("k", Number.NaN, 5, 1), 1],
        ["NaN does not replace 0", point("k", 0, 5, 1), point("k", Number.NaN, 5, 1), 1],
        ["0 does not replace NaN", point("k", Number.NaN, 5, 1), point("k", 0, 5, 1), 1],
        ["negative steps compare as numbers", point("k", 1, 9, -2), point("k", 2, 5, -1), 2],
      ];
      test.each(cases)("latest: %s", async (_title, first, second, winner) => {
        const expected = winner === 1 ? first : second;
        const [oneBatch, twoBatches] = [await newRunId(), await newRunId()];
        await store.logBatch(oneBatch, { metrics: [first, second] });
        await store.logBatch(twoBatches, { metrics: [first] });
        await store.logBatch(twoBatches, { metrics: [second] });
        expect(await latest(oneBatch)).toEqual([expected]);
        expect(await latest(twoBatches)).toEqual([expected]);
      });

      test("a batch of any size and any number of keys is stored whole", async () => {
        const runId = await newRunId();
        const metrics = Array.from({ length: 2345 }, (_, index) => point(`k${index % 7}`, index, index, index));
        await store.logBatch(runId, { metrics });
        expect(await history(runId, "k3")).toEqual(metrics.filter((metric) => metric.key === "k3"));
        expect(byKey(await latest(runId)).map((metric) => metric.value)).toEqual(
          [2338, 2339, 2340, 2341, 2342, 2343, 2344].toSorted((a, b) => (a % 7) - (b % 7)),
        );
      });

      test("bad names and numbers are refused, and nothing of the batch is stored", async () => {
        const runId = await newRunId();
        const bad = [
          point("a//b", 1),
          point("", 1),
          point("k\u{1F600}", 1),
          point("k".repeat(251), 1),
          point("k", 1, -1),
          point("k", 1, 1.5),
          point("k", 1, 1, 0.5),
        ];
        for (const metric of bad) {
          await refused(store.logBatch(runId, { metrics: [point("good", 1), metric] }), "INVALID_PARAMETER_VALUE");
        }
        expect(await latest(runId)).toEqual([]);
      });

      test("names of any script, with blanks, slashes and colons, are kept", async () => {
        const runId = await newRunId();
        const keys = ["train/loss", "größe:ß 1", "精度", "a.b-c_d", "k".repeat(250)];
        await store.logBatch(runId, { metrics: keys.map((key) => point(key, 1)) });
        expect((await latest(runId)).map((metric) => metric.key).toSorted()).toEqual(keys.toSorted());
      });
    });

    describe("params and tags", () => {
      test("a param is written once; the same value again is fine", async () => {
        const runId = await newRunId();
        await store.logBatch(runId, { params: [{ key: "lr", value: "0.1" }] });
        await store.logBatch(runId, { params: [{ key: "lr", value: "0.1" }] });
        const batch = {
          params: [
            { key: "new", value: "1" },
            { key: "lr", value: "0.2" },
          ],
          metrics: [point("m", 1)],
        };
        await refused(store.logBatch(runId, batch), "INVALID_PARAMETER_VALUE", /'lr'.*'0\.1'.*'0\.2'/u);
        const { data } = await store.getRun(runId);
        expect(data.params).toEqual([{ key: "lr", value: "0.1" }]);
        expect(data.metrics).toEqual([]);
      });

      test("lengths are counted in code points", async () => {
        const runId = await newRunId();
        const face = "\u{1F600}";
        await store.logBatch(runId, {
          params: [{ key: "p", value: face.repeat(6000) }],
          tags: [{ key: "t", value: face.repeat(8000) }],
        });
        expect((await store.getRun(runId)).data.params[0]?.value).toBe(face.repeat(6000));
      });

      test("texts come back as they were said", async () => {
        const runId = await newRunId();
        const nul = limits.keepsNoNul === true ? "" : "\u0000";
        const value = `two\nlines\ttab 'quote' "double" \\ ${nul} nul é 精`;
        await store.logBatch(runId, {
          params: [
            { key: "p", value },
            { key: "empty", value: "" },
          ],
        });
        expect(byKey((await store.getRun(runId)).data.params)).toEqual([
          { key: "empty", value: "" },
          { key: "p", value },
        ]);
        await store.logBatch(runId, { params: [{ key: "p", value }] });
      });

      test("the last value of a tag wins, also within one batch", async () => {
        const runId = await newRunId();
        await store.logBatch(runId, { tags: [{ key: "t", value: "1" }] });
        await store.logBatch(runId, {
          tags: [
            { key: "t", value: "2" },
            { key: "t", value: "3" },
          ],
        });
        expect((await store.getRun(runId)).data.tags).toContainEqual({ key: "t", value: "3" });
        await store.deleteTag(runId, "t");
        expect((await store.getRun(runId)).data.tags.map((tag) => tag.key)).toEqual([mlflowTags.runName]);
        await refused(store.deleteTag(runId, "t"), "RESOURCE_DOES_NOT_EXIST");
      });
    });

    describe("inputs and outputs", () => {
      const dataset = { name: "iris", digest: "d1", sourceType: "local", source: '{"uri":"iris.csv"}', schema: "{}" };
      const tags = [{ key: "mlflow.data.context", value: "train" }];

      test("a dataset comes back with its tags, once, however often it is said", async () => {
        const runId = await newRunId();
        await store.logInputs(
          runId,
          [
            { dataset, tags },
            { dataset, tags: [] },
          ],
          [],
        );
        await store.logInputs(runId, [{ dataset, tags }], []);
        const expected = [{ dataset, tags }];
        expect((await store.getRun(runId)).inputs.datasetInputs).toEqual(expected);
        const other = await newRunId();
        await store.logInputs(other, [{ dataset: { ...dataset, source: "ignored" }, tags }], []);
        expect((await store.getRun(other)).inputs.datasetInputs).toEqual(expected);
      });

      test("models used and made by a run", async () => {
        const runId = await newRunId();
        const used = await store.createLoggedModel({ experimentId: "0", name: "used" });
        const made = await store.createLoggedModel({ experimentId: "0", name: "made", sourceRunId: runId });
        await store.logInputs(runId, [], [used.modelId]);
        await store.logOutputs(runId, [{ modelId: made.modelId, step: 3 }]);
        await store.logOutputs(runId, [{ modelId: made.modelId, step: 3 }]);
        const run = await store.getRun(runId);
        expect(run.inputs.modelIds).toEqual([used.modelId]);
        expect(run.outputs.models).toEqual([{ modelId: made.modelId, step: 3 }]);
      });

      test("a dataset without a digest, or with one too long, is refused", async () => {
        const runId = await newRunId();
        for (const digest of ["", "d".repeat(37)]) {
          const inputs = [{ dataset: { ...dataset, digest }, tags: [] }];
          await refused(store.logInputs(runId, inputs, []), "INVALID_PARAMETER_VALUE");
        }
      });
    });

    describe("logged models", () => {
      test("go from pending to ready and keep params, tags and metrics", async () => {
        const runId = await newRunId();
        const model = await store.createLoggedModel({
          experimentId: "0",
          name: "net",
          modelType: "sklearn",
          sourceRunId: runId,
          params: [{ key: "depth", value: "3" }],
          tags: [{ key: "a", value: "1" }],
        });
        expect(model).toMatchObject({
          status: "LOGGED_MODEL_PENDING",
          name: "net",
          modelType: "sklearn",
          sourceRunId: runId,
        });
        const { artifactLocation } = await store.getExperiment("0");
        expect(model.artifactLocation).toBe(`${artifactLocation}/models/${model.modelId}/artifacts`);
        await store.logLoggedModelParams(model.modelId, [{ key: "width", value: "4" }]);
        await store.setLoggedModelTags(model.modelId, [
          { key: "a", value: "2" },
          { key: "b", value: "3" },
        ]);
        await store.deleteLoggedModelTag(model.modelId, "b");
        const metric = { ...point("acc", 0.5, 7, 1), modelId: model.modelId, datasetName: "iris", datasetDigest: "d1" };
        await store.logBatch(runId, { metrics: [metric] });
        await store.finalizeLoggedModel(model.modelId, "LOGGED_MODEL_READY");
        const read = await store.getLoggedModel(model.modelId);
        expect(read.status).toBe("LOGGED_MODEL_READY");
        expect(byKey(read.params)).toEqual([
          { key: "depth", value: "3" },
          { key: "width", value: "4" },
        ]);
        expect(read.tags).toEqual([{ key: "a", value: "2" }]);
        expect(read.metrics).toMatchObject([metric]);
        expect(await latest(runId)).toMatchObject([{ key: "acc", value: 0.5 }]);
      });

      test("a deleted one is gone from get and search", async () => {
        const kept = await store.createLoggedModel({ experimentId: "0", name: "kept" });
        const gone = await store.createLoggedModel({ experimentId: "0", name: "gone" });
        await store.deleteLoggedModel(gone.modelId);
        await refused(store.getLoggedModel(gone.modelId), "RESOURCE_DOES_NOT_EXIST");
        const found = await store.searchLoggedModels({ experimentIds: ["0"] });
        expect(found.items.map((model) => model.modelId)).toEqual([kept.modelId]);
        await refused(store.createLoggedModel({ experimentId: "0", name: "a/b" }), "INVALID_PARAMETER_VALUE");
      });

      test("are found by what they have, and sorted by their latest metrics", async () => {
        const runId = await newRunId();
        const make = async (name: string, depth: string, values: readonly number[]): Promise<void> => {
          const params = [{ key: "depth", value: depth }];
          const tags = [{ key: "team", value: name }];
          const { modelId } = await store.createLoggedModel({ experimentId: "0", name, params, tags });
          const dataset = { datasetName: "iris", datasetDigest: depth };
          const metrics = values.map((value, step) => ({
            ...point("acc", value, 1 + step, step),
            modelId,
            ...dataset,
          }));
          await store.logBatch(runId, { metrics });
        };
        await make("low", "3", [0.9, 0.1]);
        await make("high", "3", [0.2, 0.8]);
        await make("deep", "9", [0.5]);
        const find = async (query: Partial<SearchLoggedModelsQuery>): Promise<readonly string[]> => {
          const { items } = await store.searchLoggedModels({ experimentIds: ["0"], ...query });
          return items.map((model) => model.name);
        };
        const names = async (query: Partial<SearchLoggedModelsQuery>) => (await find(query)).toSorted();
        expect(await names({ filter: "params.depth = '3' AND attributes.name LIKE 'h%'" })).toEqual(["high"]);
        expect(await names({ filter: "tags.team = 'deep'" })).toEqual(["deep"]);
        expect(await names({ filter: "metrics.acc > 0.7" })).toEqual(["high", "low"]);
        const datasets = [{ datasetName: "iris", datasetDigest: "9" }];
        expect(await names({ datasets })).toEqual(["deep"]);
        expect(await names({ datasets, filter: "metrics.acc > 0.7" })).toEqual([]);
        const byAccuracy = { fieldName: "metrics.acc" };
        expect(await find({ orderBy: [byAccuracy] })).toEqual(["low", "deep", "high"]);
        expect(await find({ orderBy: [{ ...byAccuracy, isAscending: false }] })).toEqual(["high", "deep", "low"]);
        expect(await find({ orderBy: [{ fieldName: "name" }] })).toEqual(["deep", "high", "low"]);
        await refused(find({ orderBy: [{ fieldName: "params.depth" }] }), "INVALID_PARAMETER_VALUE");
        await refused(find({ filter: "acc > 0.7 OR" }), "INVALID_PARAMETER_VALUE");
      });

      test("are found page by page", async () => {
        for (const name of ["a", "b", "c"]) await store.createLoggedModel({ experimentId: "0", name });
        const first = await store.searchLoggedModels({ experimentIds: ["0"], maxResults: 2 });
        expect(first.items).toHaveLength(2);
        const rest = await store.searchLoggedModels({
          experimentIds: ["0"],
          maxResults: 2,
          pageToken: first.nextPageToken ?? "none",
        });
        expect(rest.nextPageToken).toBeUndefined();
        expect([...first.items, ...rest.items].map((model) => model.name).toSorted()).toEqual(["a", "b", "c"]);
      });
    });

    describe("search", () => {
      test("finds runs by what was logged, with all of their data", async () => {
        const runId = await newRunId();
        await newRunId();
        await store.logBatch(runId, { metrics: [point("acc", 0.9)], params: [{ key: "lr", value: "1" }] });
        const page = await store.searchRuns({ experimentIds: ["0"], filter: "metrics.acc > 0.5 and params.lr = '1'" });
        expect(page.items).toEqual([await store.getRun(runId)]);
      });

      test("finds experiments by name, without the deleted ones", async () => {
        const id = await store.createExperiment({ name: "mnist" });
        const gone = await store.createExperiment({ name: "mnist-old" });
        await store.deleteExperiment(gone);
        const page = await store.searchExperiments({ filter: "name LIKE 'mnist%'" });
        expect(page.items.map((experiment) => experiment.experimentId)).toEqual([id]);
      });
    });
  });
}

/** A point with everything but the value left to its default. */
export function point(key: string, value: number, timestamp = 1, step = 0): Metric {
  return { key, value, timestamp, step };
}

/** Expects the refusal of a store: its code and, where given, its words. */
export async function refused(work: Promise<unknown>, errorCode: ErrorCode, message?: RegExp): Promise<void> {
  await expect(work).rejects.toMatchObject({
    errorCode,
    ...(message !== undefined && { message: expect.stringMatching(message) }),
  });
}

function byKey<Item extends { readonly key: string }>(items: readonly Item[]): readonly Item[] {
  return items.toSorted((a, b) => (a.key < b.key ? -1 : 1));
}

async function nameTwice(store: TrackingStore, runId: string): Promise<readonly (string | undefined)[]> {
  const { info, data } = await store.getRun(runId);
  return [info.runName, data.tags.find((tag) => tag.key === mlflowTags.runName)?.value];
}
