import { existsSync, mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, test } from "vitest";
import { CommandRig, idOf, now } from "./command-rig.ts";

let rig: CommandRig;

beforeEach(() => {
  rig = new CommandRig();
});

afterEach(async () => {
  await rig[Symbol.asyncDispose]();
});

const gone = idOf("dead1");
const kept = idOf("beef1");

async function seedTwo(): Promise<void> {
  for (const runId of [gone, kept]) {
    await rig.seed({
      runId,
      status: "FINISHED",
      metrics: [{ key: "loss", value: 1, step: 0, timestamp: now }],
      params: [{ key: "lr", value: "1" }],
      tags: [{ key: "a", value: "b" }],
    });
    await using store = await rig.openStore();
    const dataset = { name: "d", digest: "1", sourceType: "code", source: "{}" };
    await store.logInputs(runId, [{ dataset, tags: [{ key: "mlflow.data.context", value: "train" }] }], []);
    const model = await store.createLoggedModel({ experimentId: "0", sourceRunId: runId });
    await store.logOutputs(runId, [{ modelId: model.modelId, step: 0 }]);
    await store.logBatch(runId, { metrics: [{ key: "m", value: 2, step: 0, timestamp: now, modelId: model.modelId }] });
  }
  writeFileSync(join(rig.folder, "a.txt"), "1");
  for (const runId of [gone, kept]) await rig.track(["log", "artifact", "a.txt", "--run", runId]);
}

/** Tables that still have the run in any column, the models that it made left aside. */
function tablesWith(runId: string): readonly string[] {
  const db = new DatabaseSync(join(rig.folder, "mlflow.db"), { readOnly: true });
  try {
    const tables = db
      .prepare("SELECT name FROM sqlite_master WHERE type = 'table'")
      .all()
      .map((row) => String(row["name"]));
    return tables.filter((table) =>
      JSON.stringify(db.prepare(`SELECT * FROM "${table}"`).all(), (_, value: unknown) =>
        typeof value === "bigint" ? String(value) : value,
      ).includes(runId),
    );
  } finally {
    db.close();
  }
}

test("a deleted run goes with all rows and artifacts, the others stay whole", async () => {
  await seedTwo();
  const before = tablesWith(kept);
  expect(tablesWith(gone)).toEqual(before);
  expect(before).toEqual(
    expect.arrayContaining(["inputs", "latest_metrics", "logged_model_metrics", "metrics", "params", "runs", "tags"]),
  );
  await rig.track(["rm", gone]);
  expect(await rig.track(["gc", "--yes", "--json"])).toMatchObject({
    exitCode: 0,
    stdout: `{"removed":{"runs":["${gone}"],"journals":[]}}\n`,
    stderr: "track: removed: 1 run, 0 journals\n",
  });
  expect(tablesWith(gone)).toEqual(["logged_models"]);
  expect(tablesWith(kept)).toEqual(before);
  expect(existsSync(join(rig.folder, "mlruns/0", gone))).toBe(false);
  expect(existsSync(join(rig.folder, "mlruns/0", kept, "artifacts/a.txt"))).toBe(true);
  const db = new DatabaseSync(join(rig.folder, "mlflow.db"), { readOnly: true });
  expect(db.prepare("SELECT count(*) AS n FROM input_tags").get()).toEqual({ n: 1 });
  expect(db.prepare("PRAGMA foreign_key_check").all()).toEqual([]);
  db.close();
  expect(await rig.track(["gc", "-y"])).toMatchObject({ exitCode: 0, stderr: "track: there is nothing to remove\n" });
});

test("--older-than spares what was deleted since", async () => {
  await seedTwo();
  await rig.track(["rm", gone, kept]);
  const db = new DatabaseSync(join(rig.folder, "mlflow.db"));
  db.prepare("UPDATE runs SET deleted_time = ? WHERE run_uuid = ?").run(now - 7_200_000, gone);
  db.prepare("UPDATE runs SET deleted_time = ? WHERE run_uuid = ?").run(now - 60_000, kept);
  db.close();
  expect((await rig.track(["gc", "--older-than", "3h", "-y"])).stderr).toContain("nothing to remove");
  expect((await rig.track(["gc", "--older-than", "1h", "-y", "--json"])).stdout).toContain(`"runs":["${gone}"]`);
});

test("finished journals go too, others stay", async () => {
  await seedTwo();
  const journals = join(rig.folder, ".track/journals");
  for (const [name, isFinished] of [
    ["one", true],
    ["two", false],
  ] as const) {
    mkdirSync(join(journals, name), { recursive: true });
    writeFileSync(
      join(journals, name, "header.json"),
      JSON.stringify({ runId: idOf(name), place: { host: "elsewhere" } }),
    );
    if (isFinished) {
      writeFileSync(join(journals, name, "finished"), "");
      utimesSync(join(journals, name, "finished"), now / 1000 - 7200, now / 1000 - 7200);
    }
  }
  const env = { HOME: rig.folder };
  expect((await rig.track(["gc", "-y", "--older-than", "3h"], { env })).stderr).toContain("nothing to remove");
  expect((await rig.track(["gc", "-y"], { env })).stderr).toBe("track: removed: 0 runs, 1 journal\n");
  expect([existsSync(join(journals, "one")), existsSync(join(journals, "two"))]).toEqual([false, true]);
});

test("what cannot be removed whole stays, and is told", async () => {
  await seedTwo();
  await rig.track(["rm", gone, kept]);
  const db = new DatabaseSync(join(rig.folder, "mlflow.db"));
  db.prepare("UPDATE runs SET artifact_uri = 's3://bucket/x' WHERE run_uuid = ?").run(gone);
  db.close();
  const result = await rig.track(["gc", "-y"]);
  expect(result.exitCode).toBe(1);
  expect(result.stderr).toContain(
    `track: not removed: ${gone} (run-dead): artifacts at s3: locations are not supported`,
  );
  expect(tablesWith(gone)).toContain("metrics");
  expect(tablesWith(kept)).toEqual(["logged_models"]);
});

test("where nobody can be asked nothing is removed", async () => {
  await seedTwo();
  await rig.track(["rm", gone]);
  expect(await rig.track(["gc"])).toMatchObject({
    exitCode: 2,
    stderr:
      "track: nobody can be asked here: remove 1 deleted run with all artifacts for good?\nhint: --yes does it without asking\n",
  });
  expect(tablesWith(gone)).toContain("runs");
  expect(await rig.track(["gc", "-y", "--tracking-uri", "sqlite:///none.db"])).toMatchObject({ exitCode: 0 });
  expect(existsSync(join(rig.folder, "none.db"))).toBe(false);
});
