import { DatabaseSync } from "node:sqlite";
import { schemaSql } from "../../src/store/sqlite/schema.ts";

/** A small model of a run, as the tests know it apart from any SQL. */
export interface ModelRun {
  readonly runId: string;
  readonly experimentId: number;
  readonly stage: "active" | "deleted";
  readonly status: string;
  readonly userId: string;
  readonly startTime: number;
  readonly endTime: number | null;
  readonly metrics: ReadonlyMap<string, number>;
  readonly params: ReadonlyMap<string, string>;
  /** `null` is a tag whose value is NULL in the table. */
  readonly tags: ReadonlyMap<string, string | null>;
  readonly datasets: readonly { readonly name: string; readonly digest: string; readonly context?: string }[];
}

export const metricKeys = ["loss", "val/loss", "a.b", "acc é"];
export const metricValues = [0, -1, 1, 2.5, 1e-3, Number.NaN, Number.MAX_VALUE, -Number.MAX_VALUE];
export const pairKeys = ["lr", "a b", "opt.name", "from", "user"];
export const texts = [
  "",
  "x",
  "X",
  "xy",
  "a_b",
  "a%b",
  "axb",
  "it's",
  'say "hi"',
  "[x]",
  "*",
  "?x",
  "é",
  "É",
  "10",
  "9",
];
export const statuses = ["RUNNING", "FINISHED", "FAILED", "KILLED"];
export const datasetTexts = ["iris", "Iris", "mnist", "a_b"];

export type Random = () => number;

/** Numbers in [0, 1) that depend on the seed alone (mulberry32). */
export function seededRandom(seed: number): Random {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

export function pick<Item>(random: Random, items: readonly Item[]): Item {
  return items[Math.floor(random() * items.length)] as Item;
}

export function makeModelRuns(random: Random, count: number): readonly ModelRun[] {
  return Array.from({ length: count }, (_, index) => {
    const chosen = <Value>(keys: readonly string[], values: readonly Value[]): Map<string, Value> =>
      new Map(keys.filter(() => random() < 0.6).map((key) => [key, pick(random, values)]));
    return {
      runId: `${index.toString(16).padStart(4, "0")}${Math.floor(random() * 2 ** 32)
        .toString(16)
        .padStart(28, "0")}`,
      experimentId: pick(random, [1, 2, 3]),
      stage: random() < 0.85 ? ("active" as const) : ("deleted" as const),
      status: pick(random, statuses),
      userId: pick(random, ["ann", "Bob", ""]),
      startTime: 1_700_000_000_000 + pick(random, [0, 1, 2, 3]),
      endTime: random() < 0.3 ? null : 1_700_000_001_000 + pick(random, [0, 1]),
      metrics: chosen(metricKeys, metricValues),
      params: chosen(pairKeys, texts),
      tags: chosen<string | null>([...pairKeys, "mlflow.runName"], [...texts, null]),
      datasets: datasetTexts
        .filter(() => random() < 0.25)
        .map((name) => ({
          name,
          digest: pick(random, ["d1", "d2"]),
          ...(random() < 0.5 && { context: pick(random, ["train", "eval"]) }),
        })),
    };
  });
}

/** MLflow's tables with experiments 1 to 3 and the runs given, in a file or (default) in memory. */
export function createSearchDatabase(runs: readonly ModelRun[], path = ":memory:"): DatabaseSync {
  const db = new DatabaseSync(path);
  db.exec(schemaSql);
  db.exec("BEGIN");
  for (const id of [1, 2, 3]) {
    db.prepare("INSERT INTO experiments VALUES (?, ?, '/mlruns', 'active', ?, ?)").run(id, `experiment ${id}`, id, id);
  }
  for (const run of runs) insertModelRun(db, run);
  db.exec("COMMIT");
  return db;
}

export function insertModelRun(db: DatabaseSync, run: ModelRun): void {
  db.prepare(
    `INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name, user_id, status, start_time, end_time,
       source_version, lifecycle_stage, artifact_uri, experiment_id)
     VALUES (?, ?, 'UNKNOWN', '', '', ?, ?, ?, ?, '', ?, ?, ?)`,
  ).run(
    run.runId,
    run.tags.get("mlflow.runName") ?? "",
    run.userId,
    run.status,
    run.startTime,
    run.endTime,
    run.stage,
    `/mlruns/${run.experimentId}/${run.runId}/artifacts`,
    run.experimentId,
  );
  for (const [key, value] of run.metrics) {
    const isNan = Number.isNaN(value);
    db.prepare("INSERT INTO latest_metrics VALUES (?, ?, 5, 7, ?, ?)").run(
      key,
      isNan ? 0 : value,
      isNan ? 1 : 0,
      run.runId,
    );
  }
  for (const [key, value] of run.params) db.prepare("INSERT INTO params VALUES (?, ?, ?)").run(key, value, run.runId);
  for (const [key, value] of run.tags) db.prepare("INSERT INTO tags VALUES (?, ?, ?)").run(key, value, run.runId);
  for (const { name, digest, context } of run.datasets) {
    const datasetId = `${run.experimentId}-${name}-${digest}`;
    const inputId = `${run.runId.slice(0, 20)}-${name}`;
    db.prepare("INSERT OR IGNORE INTO datasets VALUES (?, ?, ?, ?, 'local', '{}', NULL, NULL)").run(
      datasetId,
      run.experimentId,
      name,
      digest,
    );
    db.prepare("INSERT INTO inputs VALUES (?, 'DATASET', ?, 'RUN', ?, 0)").run(inputId, datasetId, run.runId);
    if (context !== undefined) {
      db.prepare("INSERT INTO input_tags VALUES (?, 'mlflow.data.context', ?)").run(inputId, context);
    }
  }
}
