import { existsSync, mkdirSync, readFileSync, statSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { beforeEach, describe, expect, test } from "vitest";
import { openTrackingStore } from "../../src/store/open-store.ts";
import { openSqliteStore } from "../../src/store/sqlite/sqlite-store.ts";
import { changeFile, makeTestFolder, queryFile, useStoreInProcess } from "./sqlite-rig.ts";
import { refused } from "./tracking-store-contract.ts";

const reference = join(import.meta.dirname, "../../fixtures/mlflow/schema-6953534de441.sql");
const masterSql = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name";

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await makeTestFolder();
  path = join(folder, "mlflow.db");
});

async function create(): Promise<void> {
  const store = await openSqliteStore(path, { mode: "write" });
  await store[Symbol.asyncDispose]();
}

describe("creation", () => {
  test("makes exactly MLflow's tables and stamp, and nothing but experiment 0", async () => {
    const before = Date.now();
    await create();
    const db = new DatabaseSync(":memory:");
    db.exec(readFileSync(reference, "utf8"));
    expect(queryFile(path, masterSql)).toEqual(
      db
        .prepare(masterSql)
        .all()
        .map((row) => ({ ...row })),
    );
    db.close();
    expect(queryFile(path, "SELECT * FROM alembic_version")).toEqual([{ version_num: "6953534de441" }]);
    const [row, ...others] = queryFile(path, "SELECT * FROM experiments");
    expect(row).toEqual({
      experiment_id: 0,
      name: "Default",
      artifact_location: `${folder}/mlruns/0`,
      lifecycle_stage: "active",
      creation_time: row?.["last_update_time"],
      last_update_time: expect.any(Number),
    });
    expect(row?.["creation_time"]).toBeGreaterThanOrEqual(before);
    expect(others).toEqual([]);
    expect(queryFile(path, "SELECT * FROM experiment_tags")).toEqual([]);
    expect(queryFile(path, "PRAGMA journal_mode")).toEqual([{ journal_mode: "delete" }]);
  });

  test("fills an empty file, makes missing folders, takes the artifact root it is given", async () => {
    writeFileSync(path, "");
    await create();
    const deep = join(folder, "a/b c/100%/x.db");
    await using store = await openSqliteStore(deep, { mode: "write", artifactRoot: "/art/root" });
    expect((await store.getExperiment("0")).artifactLocation).toBe("/art/root/0");
    expect((await store.getExperiment(await store.createExperiment({ name: "n" }))).artifactLocation).toBe(
      "/art/root/1",
    );
  });

  test("by eight processes at once gives one whole database that all of them use", async () => {
    const startAt = String(Date.now() + 1000);
    const names = Array.from({ length: 8 }, (_, index) => `experiment ${index}`);
    const results = await Promise.all(names.map((name) => useStoreInProcess([path, name, startAt])));
    expect(new Set(results.map((result) => result.experimentId))).toEqual(
      new Set(["1", "2", "3", "4", "5", "6", "7", "8"]),
    );
    const rows = queryFile(path, "SELECT name FROM experiments ORDER BY name");
    expect(rows.map((row) => row["name"])).toEqual(["Default", ...names]);
    expect(queryFile(path, "SELECT count(*) AS stamps FROM alembic_version")).toEqual([{ stamps: 1 }]);
  });

  test("is what openTrackingStore does for a sqlite URI", async () => {
    await using store = await openTrackingStore(`sqlite:///${path}`, { mode: "write" });
    expect((await store.getExperiment("0")).name).toBe("Default");
  });
});

describe("reading", () => {
  test("a missing or empty file does not exist, and stays as it is", async () => {
    await refused(
      openSqliteStore(path, { mode: "read" }),
      "RESOURCE_DOES_NOT_EXIST",
      /no such database: .*mlflow\.db/u,
    );
    expect(existsSync(path)).toBe(false);
    writeFileSync(path, "");
    await refused(
      openSqliteStore(path, { mode: "read" }),
      "RESOURCE_DOES_NOT_EXIST",
      /nothing is in the database yet/u,
    );
    expect(statSync(path).size).toBe(0);
    await refused(openSqliteStore(join(folder, "no/x.db"), { mode: "read" }), "RESOURCE_DOES_NOT_EXIST");
    expect(existsSync(join(folder, "no"))).toBe(false);
  });

  test("changes nothing", async () => {
    await create();
    const before = readFileSync(path);
    await using store = await openSqliteStore(path, { mode: "read" });
    await store.searchRuns({ experimentIds: ["0"] });
    await refused(store.createExperiment({ name: "no" }), "TEMPORARILY_UNAVAILABLE", /read-only/u);
    expect(readFileSync(path).equals(before)).toBe(true);
  });
});

describe("a user's mistake is INVALID_PARAMETER_VALUE", () => {
  const cases: [what: string, prepare: () => string, message: RegExp][] = [
    ["a folder", () => folder, /is a folder/u],
    ["a device", () => "/dev/null", /is not a regular file/u],
    ["below a file", () => join(writeText("some text"), "x.db"), /not a folder/u],
    ["a short text", () => writeText("hello"), /not a SQLite database: .*mlflow\.db/u],
    ["a long text", () => writeText("hello\n".repeat(2000)), /not a SQLite database/u],
    ["someone else's tables", () => change("CREATE TABLE users (id INTEGER)"), /has tables, but not MLflow's/u],
    [
      "MLflow 2's tables",
      () =>
        change(
          readFileSync(reference, "utf8") +
            "DROP TABLE logged_model_params; ALTER TABLE inputs DROP COLUMN step; UPDATE alembic_version SET version_num = '0584bdc529eb'",
        ),
      /lacks inputs\.step, logged_model_params\.model_id, .* and 2 more columns \(revision 0584bdc529eb\)/u,
    ],
  ];
  test.each(cases)("%s", async (_what, prepare, message) => {
    const target = prepare();
    for (const mode of ["read", "write"] as const) {
      const opening = openSqliteStore(target, { mode });
      await refused(opening, "INVALID_PARAMETER_VALUE", message);
      await expect(opening).rejects.toMatchObject({
        hint: expect.stringMatching(/name a database|mlflow db upgrade/u),
      });
    }
  });
});

describe("the surroundings are TEMPORARILY_UNAVAILABLE", () => {
  test("a corrupt file", async () => {
    await create();
    const bytes = readFileSync(path);
    bytes.fill(0xaa, 4096);
    writeFileSync(path, bytes);
    await refused(openSqliteStore(path, { mode: "read" }), "TEMPORARILY_UNAVAILABLE", /corrupt: .*mlflow\.db/u);
  });

  test("a file that was cut", async () => {
    await create();
    truncateSync(path, 8192);
    await refused(openSqliteStore(path, { mode: "read" }), "TEMPORARILY_UNAVAILABLE", /corrupt/u);
  });

  test("a disk that refuses in the middle of the creation, which leaves nothing half", async () => {
    const result = await useStoreInProcess([path, "first"], { fileBlocks: 64 });
    expect(result).toMatchObject({ errorCode: "TEMPORARILY_UNAVAILABLE", message: expect.stringContaining("disk") });
    await refused(openSqliteStore(path, { mode: "read" }), "RESOURCE_DOES_NOT_EXIST");
    expect(await useStoreInProcess([path, "first"])).toEqual({ experimentId: "1" });
  });

  test("a file or folder that may not be written", async (context) => {
    if (process.getuid?.() !== 0) return context.skip("becoming another user needs root");
    await create();
    const nobody = { uid: 65_534 };
    expect(await useStoreInProcess([path, "mine"], nobody)).toMatchObject({ errorCode: "TEMPORARILY_UNAVAILABLE" });
    const missing = join(folder, "new/x.db");
    const result = await useStoreInProcess([missing, "mine"], nobody);
    expect(result).toMatchObject({ errorCode: "TEMPORARILY_UNAVAILABLE", message: expect.stringContaining("new") });
  });
});

describe("a database made by others", () => {
  test("of a newer revision is used by column name, and its revision told", async () => {
    await create();
    changeFile(
      path,
      `ALTER TABLE experiments ADD COLUMN workspace VARCHAR(63) DEFAULT 'default' NOT NULL;
       ALTER TABLE runs ADD COLUMN invented TEXT; CREATE TABLE invented (id INTEGER);
       UPDATE alembic_version SET version_num = 'ffffffffffff'`,
    );
    await using store = await openSqliteStore(path, { mode: "write" });
    expect(store.revision()).toBe("ffffffffffff");
    await store.createExperiment({ name: "n" });
    expect(queryFile(path, "SELECT workspace FROM experiments")).toEqual([
      { workspace: "default" },
      { workspace: "default" },
    ]);
    changeFile(path, "UPDATE alembic_version SET version_num = 'eeeeeeeeeeee'");
    expect(store.revision()).toBe("eeeeeeeeeeee");
  });

  test("gets experiment 0 back when it is missing, but only for writing", async () => {
    changeFile(path, readFileSync(reference, "utf8"));
    await using reader = await openSqliteStore(path, { mode: "read" });
    await refused(reader.getExperiment("0"), "RESOURCE_DOES_NOT_EXIST");
    await using writer = await openSqliteStore(path, { mode: "write" });
    expect(await writer.getExperiment("0")).toMatchObject({ name: "Default", artifactLocation: `${folder}/mlruns/0` });
  });

  test("puts new experiments beside its experiment 0", async () => {
    await create();
    const location = async (ofDefault: string, name: string) => {
      changeFile(path, `UPDATE experiments SET artifact_location = '${ofDefault}' WHERE experiment_id = 0`);
      await using store = await openSqliteStore(path, { mode: "write" });
      const id = await store.createExperiment({ name });
      return (await store.getExperiment(id)).artifactLocation.replace(new RegExp(`${id}$`, "u"), "<id>");
    };
    expect(await location("/w/some dir/mlruns/0", "a")).toBe("/w/some dir/mlruns/<id>");
    expect(await location("file:///w/mlruns/0", "b")).toBe("file:///w/mlruns/<id>");
    expect(await location("s3://bucket/0", "c")).toBe("s3://bucket/<id>");
    expect(await location("/w/elsewhere", "d")).toBe(`${folder}/mlruns/<id>`);
    expect(await location("mlflow-artifacts:/0", "e")).toBe(`${folder}/mlruns/<id>`);
  });

  test("may hold 18-digit experiment ids, as MLflow's file store makes them", async () => {
    await create();
    const big = "987654321987654321";
    changeFile(
      path,
      `INSERT INTO experiments (experiment_id, name, artifact_location, lifecycle_stage) VALUES (${big}, 'migrated', '/w/m', 'active')`,
    );
    await using store = await openSqliteStore(path, { mode: "write" });
    expect((await store.getExperimentByName("migrated"))?.experimentId).toBe(big);
    const run = await store.createRun({ experimentId: big, userId: "u", startTime: 1, runName: "r", tags: [] });
    expect(run.info.experimentId).toBe(big);
    expect(await store.createExperiment({ name: "next" })).toBe("987654321987654322");
    const metric = { key: "m", value: 1, timestamp: 1, step: 2 ** 60 };
    await store.logBatch(run.info.runId, { metrics: [metric] });
    expect((await store.getMetricHistory(run.info.runId, "m")).items).toEqual([metric]);
  });

  test("behind a symbolic link is used where it lies", async () => {
    await create();
    mkdirSync(join(folder, "links"));
    symlinkSync(path, join(folder, "links/l.db"));
    await using store = await openSqliteStore(join(folder, "links/l.db"), { mode: "write" });
    await store.createExperiment({ name: "through" });
    expect(queryFile(path, "SELECT name FROM experiments WHERE experiment_id = 1")).toEqual([{ name: "through" }]);
  });
});

function writeText(text: string): string {
  writeFileSync(path, text);
  return path;
}

function change(sql: string): string {
  changeFile(path, sql);
  return path;
}
