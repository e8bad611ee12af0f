import { DatabaseSync } from "node:sqlite";
import { createTables } from "./database-tables.ts";
import { logBatch } from "./log-batch.ts";
import { createRun, getRun, updateRun } from "./runs.ts";
import { schemaSql } from "./schema.ts";

/** Does in memory what every short run does, so that V8 and SQLite have met it once when a run waits for it. Changes nothing. */
export function warmUpSqlite(): void {
  const db = new DatabaseSync(":memory:");
  createTables(db, schemaSql, "/");
  const runId = "0".repeat(32);
  const tags = [{ key: "k", value: "v" }];
  db.exec("BEGIN");
  createRun(db, { runId, experimentId: "0", userId: "", startTime: 0, runName: "n", tags });
  logBatch(db, runId, { metrics: [{ key: "m", value: 1, timestamp: 0, step: 0 }], params: tags, tags });
  updateRun(db, runId, { status: "FINISHED", endTime: 0 });
  getRun(db, runId);
  db.exec("COMMIT");
  db.close();
}
