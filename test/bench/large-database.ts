import type { DatabaseSync } from "node:sqlite";

const tables = ["runs", "params", "tags", "metrics", "latest_metrics"];

/** Copies one run until there are `count` more, each a second younger, with ids as random as real ones; returns the new ids. */
export function cloneRuns(database: DatabaseSync, runId: string, count: number): readonly string[] {
  database.exec("BEGIN");
  database.exec("CREATE TEMP TABLE clones (number INTEGER PRIMARY KEY, id TEXT)");
  database
    .prepare(
      `INSERT INTO clones WITH RECURSIVE numbers(number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM numbers WHERE number < ?)
       SELECT number, lower(hex(randomblob(16))) FROM numbers`,
    )
    .run(count - 1);
  const changed: Readonly<Record<string, string>> = {
    run_uuid: "clones.id",
    name: "original.name || '-' || clones.number",
    start_time: "original.start_time + clones.number * 1000",
    end_time: "original.end_time + clones.number * 1000",
    artifact_uri: "replace(original.artifact_uri, original.run_uuid, clones.id)",
  };
  for (const table of tables) {
    const columns = database.prepare("SELECT name FROM pragma_table_info(?)").all(table);
    const names = columns.map((column) => String(column["name"]));
    const values = names.map(
      (name) => (table === "runs" || name === "run_uuid" ? changed[name] : undefined) ?? `original."${name}"`,
    );
    const list = names.map((name) => `"${name}"`).join(", ");
    database
      .prepare(
        `INSERT INTO ${table} (${list}) SELECT ${values.join(", ")} FROM ${table} AS original, clones WHERE original.run_uuid = ?`,
      )
      .run(runId);
  }
  const ids = database.prepare("SELECT id FROM clones ORDER BY number").all();
  database.exec("DROP TABLE clones");
  database.exec("COMMIT");
  return ids.map((row) => String(row["id"]));
}

/** Gives a run that many points, spread over some metrics, with the latest of each where MLflow keeps it. */
export function addPoints(
  database: DatabaseSync,
  runId: string,
  { points, keys }: { readonly points: number; readonly keys: number },
): void {
  const steps = points / keys;
  const insert = database.prepare(
    'INSERT INTO metrics ("key", value, timestamp, run_uuid, step, is_nan) VALUES (?, ?, ?, ?, ?, 0)',
  );
  const insertLatest = database.prepare(
    'INSERT INTO latest_metrics ("key", value, timestamp, run_uuid, step, is_nan) VALUES (?, ?, ?, ?, ?, 0)',
  );
  database.exec("BEGIN");
  for (let key = 0; key < keys; key += 1) {
    let last = 0;
    for (let step = 0; step < steps; step += 1) {
      last = 1 / (step + 1) + Math.random() / 10;
      insert.run(`curve_${key}`, last, 1_790_000_000_000 + step, runId, step);
    }
    insertLatest.run(`curve_${key}`, last, 1_790_000_000_000 + steps - 1, runId, steps - 1);
  }
  database.exec("COMMIT");
}
