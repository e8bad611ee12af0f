import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { schemaSql } from "../../src/store/sqlite/schema.ts";
import { searchExperiments } from "../../src/store/sqlite/search-experiments.ts";
import type { SearchExperimentsQuery } from "../../src/store/tracking-store.ts";

const db = new DatabaseSync(":memory:");
db.exec(schemaSql);
db.exec(`INSERT INTO experiments VALUES
    (0, 'Default', '/m/0', 'active', 100, 100),
    (1, 'alpha', '/m/1', 'active', 300, 500),
    (2, 'Alpha', '/m/2', 'deleted', 200, 600),
    (3, 'beta', '/m/3', 'active', 300, 400),
    (874537812345678901, 'old', '/m/4', 'active', NULL, NULL);
  INSERT INTO experiment_tags VALUES ('team', 'vision', 1), ('a b', 'x', 1), ('team', 'speech', 3), ('none', NULL, 3);`);

const find = (query: SearchExperimentsQuery): readonly string[] =>
  searchExperiments(db, query).items.map((experiment) => experiment.name);

test("the default order is the newest first, then the id", () => {
  expect(find({})).toEqual(["alpha", "beta", "Default", "old"]);
  expect(find({ viewType: "DELETED_ONLY" })).toEqual(["Alpha"]);
  expect(find({ viewType: "ALL" })).toEqual(["alpha", "beta", "Alpha", "Default", "old"]);
});

test("an experiment comes with its tags, and an id beyond 2^53 keeps its digits", () => {
  expect(searchExperiments(db, { filter: "name = 'alpha'" }).items).toEqual([
    {
      experimentId: "1",
      name: "alpha",
      artifactLocation: "/m/1",
      lifecycleStage: "active",
      creationTime: 300,
      lastUpdateTime: 500,
      tags: [
        { key: "a b", value: "x" },
        { key: "team", value: "vision" },
      ],
    },
  ]);
  expect(searchExperiments(db, { filter: "experiment_id = '874537812345678901'" }).items).toEqual([
    { experimentId: "874537812345678901", name: "old", artifactLocation: "/m/4", lifecycleStage: "active", tags: [] },
  ]);
});

test.each([
  ["name LIKE 'a%'", ["alpha"]],
  ["name ILIKE 'a%'", ["alpha", "Alpha"]],
  ["name != 'alpha' AND creation_time >= 200", ["beta", "Alpha"]],
  ["last_update_time < 500", ["beta", "Default"]],
  ["experiment_id IN ('1', '03')", ["alpha", "beta"]],
  ["experiment_id NOT IN ('0', '874537812345678901')", ["alpha", "beta", "Alpha"]],
  ["experiment_id != '1'", ["beta", "Alpha", "Default", "old"]],
  ["tags.team = 'vision'", ["alpha"]],
  ["tags.team != 'vision'", ["beta"]],
  ["tag.`a b` LIKE '_'", ["alpha"]],
  ["tags.team IS NULL", ["Alpha", "Default", "old"]],
  ["tags.none IS NOT NULL AND attribute.name = 'beta'", ["beta"]],
  ["tags.none = ''", []],
])("%s", (filter, names) => {
  expect(find({ filter, viewType: "ALL" })).toEqual(names);
});

test.each([
  [["name"], ["Default", "alpha", "beta", "old"]],
  [["name DESC"], ["old", "beta", "alpha", "Default"]],
  [["creation_time"], ["old", "Default", "beta", "alpha"]],
  [["creation_time DESC"], ["beta", "alpha", "Default", "old"]],
  [
    ["creation_time DESC", "experiment_id ASC"],
    ["alpha", "beta", "Default", "old"],
  ],
  [["last_update_time DESC"], ["alpha", "beta", "Default", "old"]],
])("order_by %j, ties by the higher id first as in MLflow", (orderBy, names) => {
  expect(find({ orderBy })).toEqual(names);
});

test("pages lead through all experiments", () => {
  const first = searchExperiments(db, { maxResults: 3 });
  expect(first.items).toHaveLength(3);
  const second = searchExperiments(db, { maxResults: 3, pageToken: first.nextPageToken ?? "" });
  expect(second.items.map((experiment) => experiment.name)).toEqual(["old"]);
  expect(second).not.toHaveProperty("nextPageToken");
});

test.each([
  { maxResults: 0 },
  { maxResults: 50_001 },
  { pageToken: "?" },
  { filter: "name = alpha" },
  { filter: "attr.name = 'alpha'" },
  { filter: "experiment_id LIKE '1'" },
  { orderBy: ["tags.team"] },
])("%j is refused", (query) => {
  expect(() => find(query)).toThrow(expect.objectContaining({ errorCode: "INVALID_PARAMETER_VALUE" }));
});
