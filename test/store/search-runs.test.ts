import type { DatabaseSync } from "node:sqlite";
import { describe, expect, test } from "vitest";
import { searchRuns } from "../../src/store/sqlite/search-runs.ts";
import type { SearchRunsQuery } from "../../src/store/tracking-store.ts";
import type { ModelRun } from "./search-data.ts";
import { createSearchDatabase } from "./search-data.ts";

const makeRun = (digit: number, fields: Partial<ModelRun> = {}): ModelRun => ({
  runId: String(digit).repeat(32),
  experimentId: 1,
  stage: "active",
  status: "FINISHED",
  userId: "ann",
  startTime: 1_700_000_000_000,
  endTime: 1_700_000_001_000,
  metrics: new Map(),
  params: new Map(),
  tags: new Map(),
  datasets: [],
  ...fields,
});

/** First digits of the ids found, in order. */
function find(db: DatabaseSync, query: Partial<SearchRunsQuery>): string {
  return searchRuns(db, { experimentIds: ["1"], ...query })
    .items.map((run) => run.info.runId.charAt(0))
    .join("");
}

const invalid = expect.objectContaining({ errorCode: "INVALID_PARAMETER_VALUE" });

test("a run comes with its latest metrics, params, tags, inputs and outputs", () => {
  const datasets = [{ name: "iris", digest: "d1", context: "train" }];
  const metrics = new Map([
    ["loss", Number.NaN],
    ["big", Number.MAX_VALUE],
  ]);
  const db = createSearchDatabase([
    makeRun(1, { metrics, params: new Map([["lr", "0.1"]]), tags: new Map([["mlflow.runName", "one"]]), datasets }),
    makeRun(2, { endTime: null, status: "RUNNING", startTime: 5 }),
  ]);
  db.exec(`INSERT INTO inputs VALUES ('u1', 'RUN_INPUT', '${"1".repeat(32)}', 'MODEL_INPUT', 'm-1', 0);
    INSERT INTO inputs VALUES ('u2', 'RUN_OUTPUT', '${"1".repeat(32)}', 'MODEL_OUTPUT', 'm-3', 7);
    INSERT INTO inputs VALUES ('u3', 'RUN_OUTPUT', '${"1".repeat(32)}', 'MODEL_OUTPUT', 'm-2', 9);`);
  expect(searchRuns(db, { experimentIds: ["1"] }).items).toEqual([
    {
      info: {
        runId: "1".repeat(32),
        runName: "one",
        experimentId: "1",
        userId: "ann",
        status: "FINISHED",
        startTime: 1_700_000_000_000,
        endTime: 1_700_000_001_000,
        lifecycleStage: "active",
        artifactUri: `/mlruns/1/${"1".repeat(32)}/artifacts`,
      },
      data: {
        metrics: [
          { key: "loss", value: Number.NaN, timestamp: 5, step: 7 },
          { key: "big", value: Number.MAX_VALUE, timestamp: 5, step: 7 },
        ],
        params: [{ key: "lr", value: "0.1" }],
        tags: [{ key: "mlflow.runName", value: "one" }],
      },
      inputs: {
        datasetInputs: [
          {
            dataset: { name: "iris", digest: "d1", sourceType: "local", source: "{}" },
            tags: [{ key: "mlflow.data.context", value: "train" }],
          },
        ],
        modelIds: ["m-1"],
      },
      outputs: {
        models: [
          { modelId: "m-3", step: 7 },
          { modelId: "m-2", step: 9 },
        ],
      },
    },
    expect.objectContaining({
      info: expect.not.objectContaining({ endTime: expect.anything() }) as unknown,
      data: { metrics: [], params: [], tags: [] },
      inputs: { datasetInputs: [], modelIds: [] },
      outputs: { models: [] },
    }),
  ]);
});

test("a name that only the tag has, as MLflow 1.x wrote it, is the run's name", () => {
  const db = createSearchDatabase([makeRun(1, { tags: new Map([["mlflow.runName", "old"]]) })]);
  db.exec("UPDATE runs SET name = NULL");
  expect(searchRuns(db, { experimentIds: ["1"], filter: "run_name = 'old'" }).items[0]?.info.runName).toBe("old");
});

describe("which runs are looked at", () => {
  const db = createSearchDatabase([
    makeRun(1),
    makeRun(2, { stage: "deleted" }),
    makeRun(3, { experimentId: 2 }),
    makeRun(4, { experimentId: 3, stage: "deleted" }),
  ]);

  test("experiments and lifecycle stage", () => {
    expect(find(db, {})).toBe("1");
    expect(find(db, { viewType: "DELETED_ONLY" })).toBe("2");
    expect(find(db, { viewType: "ALL", experimentIds: ["1", "2", "3", "1"] })).toBe("1234");
    expect(find(db, { viewType: "ALL", experimentIds: [] })).toBe("");
    expect(find(db, { viewType: "ALL", experimentIds: ["99", "9223372036854775808"] })).toBe("");
    expect(find(db, { experimentIds: ["01"] })).toBe("1");
  });

  test.each(["abc", "", "-1", "1 OR 1", "1.0"])("an experiment id like %j is refused", (id) => {
    expect(() => find(db, { experimentIds: [id] })).toThrow(invalid);
  });

  test("an experiment id beyond 2^53, as of a migrated file store", () => {
    const id = "874537812345678901";
    db.exec(`INSERT INTO experiments VALUES (${id}, 'big', '/m', 'active', 1, 1)`);
    db.exec(`UPDATE runs SET experiment_id = ${id} WHERE run_uuid LIKE '4%'`);
    const found = searchRuns(db, { experimentIds: [id], viewType: "ALL" }).items;
    expect(found.map((run) => run.info.experimentId)).toEqual([id]);
  });
});

describe("pages", () => {
  const db = createSearchDatabase([1, 2, 3, 4, 5].map((digit) => makeRun(digit, { startTime: 100 - digit })));

  test("a token is given only while one more run exists, and leads through all of them", () => {
    const first = searchRuns(db, { experimentIds: ["1"], maxResults: 2 });
    expect(first.nextPageToken).toBe(Buffer.from('{"offset": 2}').toString("base64"));
    const pages: string[] = [];
    for (let pageToken: string | undefined; ;) {
      const page = searchRuns(db, {
        experimentIds: ["1"],
        maxResults: 2,
        ...(pageToken !== undefined && { pageToken }),
      });
      pages.push(page.items.map((run) => run.info.runId.charAt(0)).join(""));
      pageToken = page.nextPageToken;
      if (pageToken === undefined) break;
    }
    expect(pages).toEqual(["12", "34", "5"]);
    expect(searchRuns(db, { experimentIds: ["1"], maxResults: 5 })).not.toHaveProperty("nextPageToken");
    expect(searchRuns(db, { experimentIds: ["1"], maxResults: 0 })).toEqual({ items: [] });
  });

  test.each([-1, 1.5, 50_001, Number.NaN])("max_results %d is refused", (maxResults) => {
    expect(() => find(db, { maxResults })).toThrow(invalid);
  });

  test("a token of another kind is refused", () => {
    expect(() => find(db, { pageToken: "zzz" })).toThrow(invalid);
  });
});

describe("filters", () => {
  const db = createSearchDatabase([
    makeRun(1, {
      metrics: new Map([["loss", 0]]),
      params: new Map([["opt", "Adam"]]),
      tags: new Map([["k", "[a]*?"]]),
      datasets: [
        { name: "iris", digest: "d1", context: "train" },
        { name: "mnist", digest: "d2", context: "eval" },
      ],
    }),
    makeRun(2, {
      metrics: new Map([["loss", Number.NaN]]),
      params: new Map([["opt", "adam"]]),
      tags: new Map([["k", null]]),
    }),
    makeRun(3, { endTime: null, metrics: new Map([["acc", 1]]), datasets: [{ name: "iris", digest: "d3" }] }),
  ]);

  test.each([
    ["metrics.loss = 0", "1"],
    ["metrics.loss < 1", "1"],
    ["metrics.loss >= 0", "1"],
    ["metrics.loss != 5", "12"],
    ["metrics.loss != 0", "2"],
    ["params.opt != 'Adam'", "2"],
    ["params.opt LIKE 'a%'", "2"],
    ["params.opt ILIKE 'A%'", "12"],
    ["params.opt LIKE '_dam'", "12"],
    ["params.opt IS NULL", "3"],
    ["tags.k IS NOT NULL", "12"],
    ["tags.k != 'x'", "1"],
    ["tags.k LIKE '[a]*?'", "1"],
    ["tags.k LIKE '[a]*_'", "1"],
    ["tags.k LIKE 'a'", ""],
    ["tags.k LIKE '[a%'", "1"],
    ["end_time > 0", "12"],
    ["end_time != 5", "12"],
    ["start_time = 1.7e12", "123"],
    ["datasets.name = 'iris'", "13"],
    ["datasets.name = 'iris' AND datasets.digest = 'd2'", "1"],
    ["datasets.name != 'iris'", "1"],
    ["datasets.context = 'train'", "1"],
    ["datasets.context NOT IN ('train')", "1"],
    ["datasets.digest IN ('d2', 'd3')", "13"],
    [`run_id IN ('${"1".repeat(32)}', "${"3".repeat(32)}")`, "13"],
    [`run_id NOT IN ('${"1".repeat(32)}')`, "23"],
    ["metrics.loss < 1e400 AND metrics.loss > -1e400", "1"],
    ["tags.`k' OR 1=1 --` = 'x'", ""],
    ["status = 'finished'", ""],
  ])("%s finds %j", (filter, ids) => {
    expect(find(db, { filter, orderBy: ["run_id"] })).toBe(ids);
  });

  test("LIKE heeds case whatever the connection's pragma says", () => {
    for (const value of ["true", "false"]) {
      db.exec(`PRAGMA case_sensitive_like = ${value}`);
      expect(find(db, { filter: "params.opt LIKE 'A%'" })).toBe("1");
      expect(find(db, { filter: "params.opt ILIKE 'aD%'" })).toBe("12");
    }
  });

  test("500 comparisons and 60 fields to sort by are within SQLite's limits, a giant pattern is refused", () => {
    expect(find(db, { filter: Array.from({ length: 500 }, () => "metrics.acc = 1").join(" AND ") })).toBe("3");
    expect(find(db, { orderBy: Array.from({ length: 60 }, (_, index) => `metrics.m${index}`) })).toBe("123");
    expect(() => find(db, { orderBy: Array.from({ length: 61 }, (_, index) => `metrics.m${index}`) })).toThrow(invalid);
    expect(() => find(db, { filter: `tags.k LIKE '${"*".repeat(20_000)}'` })).toThrow(invalid);
    const ids = Array.from({ length: 40_000 }, (_, index) => `'${index}'`).join(",");
    expect(find(db, { filter: `run_id NOT IN (${ids})` })).toBe("123");
  });
});

describe("order", () => {
  const loss = (value: number): ReadonlyMap<string, number> => new Map([["loss", value]]);
  const db = createSearchDatabase([
    makeRun(1, { startTime: 10 }),
    makeRun(2, { startTime: 20, metrics: loss(Number.NaN) }),
    makeRun(3, { startTime: 30, metrics: loss(2) }),
    makeRun(4, { startTime: 40, metrics: loss(-1) }),
    makeRun(5, { startTime: 50, metrics: loss(Number.NaN) }),
    makeRun(6, { startTime: 10, metrics: loss(2), params: new Map([["p", "b"]]) }),
    makeRun(7, { startTime: 10, endTime: null, params: new Map([["p", "a"]]) }),
  ]);

  test.each([
    [[], "5432167"],
    [["metrics.loss"], "4365217"],
    [["metrics.loss DESC"], "3645217"],
    [["params.p DESC"], "6754321"],
    [["params.p"], "7654321"],
    [["end_time DESC", "run_id DESC"], "6543217"],
    [["start_time ASC"], "1672345"],
    [["metrics.loss DESC", "params.p ASC"], "6345271"],
  ])("%j gives %s", (orderBy, ids) => {
    expect(find(db, { orderBy })).toBe(ids);
  });

  test("a field named twice is refused", () => {
    expect(() => find(db, { orderBy: ["metrics.loss", "metrics.`loss` DESC"] })).toThrow(invalid);
  });
});
