import type { DatabaseSync } from "node:sqlite";
import { StoreError } from "../../errors.ts";
import type { DeletedRun } from "../run-removal.ts";
import { toText } from "./rows.ts";
import { getRunInfo } from "./runs.ts";
import { prepareCached } from "./statements.ts";

/** The oldest deletion first. */
export function listDeletedRuns(db: DatabaseSync): readonly DeletedRun[] {
  const sql = `SELECT run_uuid, name, artifact_uri, CAST(deleted_time AS REAL) AS deleted_time FROM runs
    WHERE lifecycle_stage = 'deleted' ORDER BY deleted_time, run_uuid`;
  return prepareCached(db, sql)
    .all()
    .map((row) => ({
      runId: toText(row["run_uuid"]),
      runName: toText(row["name"]),
      artifactUri: toText(row["artifact_uri"]),
      ...(row["deleted_time"] !== null && { deletedTime: Number(row["deleted_time"]) }),
    }));
}

/** The caller holds the transaction. */
export function removeRun(db: DatabaseSync, runId: string): void {
  if (getRunInfo(db, runId).lifecycleStage !== "deleted") {
    throw new StoreError("INVALID_STATE", `The run ${runId} must be in the 'deleted' state.`);
  }
  removeEdges(db, runId);
  for (const { table, column } of tablesOfRuns(db)) {
    db.prepare(`DELETE FROM "${table}" WHERE "${column}" = ?`).run(runId);
  }
  prepareCached(db, "DELETE FROM runs WHERE run_uuid = ?").run(runId);
}

/** By foreign key, so that tables of a newer MLflow are among them. */
function tablesOfRuns(db: DatabaseSync): readonly { readonly table: string; readonly column: string }[] {
  const sql = `SELECT m.name AS "table", f."from" AS "column"
    FROM sqlite_master m, pragma_foreign_key_list(m.name) f WHERE m.type = 'table' AND f."table" = 'runs'`;
  return db
    .prepare(sql)
    .all()
    .map((row) => ({ table: toText(row["table"]), column: toText(row["column"]) }));
}

/** `inputs` has no foreign keys; datasets and models stay, since other runs may use them. */
function removeEdges(db: DatabaseSync, runId: string): void {
  const edges = `SELECT input_uuid FROM inputs WHERE (destination_type = 'RUN' AND destination_id = ?)
    OR (source_type IN ('RUN_INPUT', 'RUN_OUTPUT') AND source_id = ?)`;
  prepareCached(db, `DELETE FROM input_tags WHERE input_uuid IN (${edges})`).run(runId, runId);
  prepareCached(db, `DELETE FROM inputs WHERE input_uuid IN (${edges})`).run(runId, runId);
}
