import type { DatabaseSync } from "node:sqlite";
import { StoreError } from "../../errors.ts";
import { neededColumns } from "./needed-columns.ts";
import { prepareCached } from "./statements.ts";

/** What stands in the way of using the tables as MLflow's; `undefined` when nothing does. */
export type TableFault =
  | { readonly kind: "foreign" }
  | { readonly kind: "lacking"; readonly columns: readonly string[] };

/** True while nothing at all is in the database. Throws what SQLite throws, also when the file is no database. */
export function isEmptyDatabase(db: DatabaseSync): boolean {
  return db.prepare("SELECT 1 FROM sqlite_master LIMIT 1").get() === undefined;
}

/** Counts up at every change of the tables, by whoever. */
export function readSchemaVersion(db: DatabaseSync): number {
  return Number(prepareCached(db, "PRAGMA schema_version").get()?.["schema_version"]);
}

/** Compares by column name, so that what a newer MLflow added does not matter. */
export function findTableFault(db: DatabaseSync): TableFault | undefined {
  const columnsOf = db.prepare("SELECT name FROM pragma_table_info(?)");
  const lacking: string[] = [];
  let needed = 0;
  for (const [table, columns] of Object.entries(neededColumns)) {
    const present = new Set(columnsOf.all(table).map((row) => row["name"]));
    for (const column of columns) if (!present.has(column)) lacking.push(`${table}.${column}`);
    needed += columns.length;
  }
  if (lacking.length === 0) return undefined;
  return lacking.length === needed ? { kind: "foreign" } : { kind: "lacking", columns: lacking };
}

/** True while MLflow rebuilds tables (`_alembic_tmp_*`): rows written meanwhile can get lost (contract 4.5). */
export function isMigrating(db: DatabaseSync): boolean {
  const sql = String.raw`SELECT 1 FROM sqlite_master WHERE type = 'table' AND name LIKE '\_alembic\_tmp\_%' ESCAPE '\' LIMIT 1`;
  return db.prepare(sql).get() !== undefined;
}

/** MLflow's revision of the tables; empty where the stamp is missing. */
export function readRevision(db: DatabaseSync): string {
  const hasStamp = db.prepare("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").get() !== undefined;
  if (!hasStamp) return "";
  return String(db.prepare("SELECT version_num FROM alembic_version").get()?.["version_num"] ?? "");
}

/** Makes all tables and experiment 0 inside the caller's transaction. */
export function createTables(db: DatabaseSync, schemaSql: string, artifactRoot: string): void {
  db.exec(schemaSql);
  insertDefaultExperiment(db, artifactRoot);
}

/** MLflow does this at every opening; `false` where experiment 0 is there. */
export function lacksDefaultExperiment(db: DatabaseSync): boolean {
  return db.prepare("SELECT 1 FROM experiments WHERE experiment_id = 0").get() === undefined;
}

/** Inserts experiment 0, unless it or another one named `Default` is there. */
export function insertDefaultExperiment(db: DatabaseSync, artifactRoot: string): void {
  const sql = `INSERT INTO experiments
    (experiment_id, name, artifact_location, lifecycle_stage, creation_time, last_update_time)
    VALUES (0, 'Default', ?, 'active', ?, ?) ON CONFLICT DO NOTHING`;
  const now = Date.now();
  db.prepare(sql).run(`${artifactRoot}/0`, now, now);
}

/** The user named a database that cannot be used as MLflow's. */
export function tableFaultError(fault: TableFault, path: string, revision: string): StoreError {
  if (fault.kind === "foreign") {
    return new StoreError("INVALID_PARAMETER_VALUE", `the database has tables, but not MLflow's: ${path}`, {
      hint: "name a database of MLflow, or a file that does not exist yet",
    });
  }
  const shown = fault.columns.slice(0, 3).join(", ");
  const more = fault.columns.length > 3 ? ` and ${fault.columns.length - 3} more columns` : "";
  return new StoreError(
    "INVALID_PARAMETER_VALUE",
    `the database lacks ${shown}${more} (revision ${revision === "" ? "unknown" : revision}): ${path}`,
    { hint: `upgrade it with MLflow 3: mlflow db upgrade sqlite:///${path}` },
  );
}
