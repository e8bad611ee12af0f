import { DatabaseSync, type SQLOutputValue } from "node:sqlite";

const tables = [
  "experiments",
  "experiment_tags",
  "runs",
  "metrics",
  "latest_metrics",
  "params",
  "tags",
  "datasets",
  "inputs",
  "input_tags",
  "logged_models",
  "logged_model_metrics",
  "logged_model_params",
  "logged_model_tags",
];

/**
 * The rows of the tracking tables, each value with its storage class, sorted. What two tellings of one story cannot have in common
 * is made equal: ids by their kind, the artifact folder, times of this year.
 */
export function readRows(path: string, folder: string): Readonly<Record<string, readonly string[]>> {
  const db = new DatabaseSync(path, { readOnly: true, readBigInts: true });
  try {
    return Object.fromEntries(
      tables.map((table) => [
        table,
        db
          .prepare(`SELECT * FROM ${table}`)
          .all()
          .map((row) => rowText(row, folder))
          .sort(),
      ]),
    );
  } finally {
    db.close();
  }
}

function rowText(row: Readonly<Record<string, SQLOutputValue>>, folder: string): string {
  return Object.entries(row)
    .map(([column, value]) => `${column}=${valueText(value, folder)}`)
    .sort()
    .join("; ");
}

function valueText(value: SQLOutputValue, folder: string): string {
  if (value === null) return "NULL";
  if (typeof value === "bigint") return value > 10n ** 12n && value < 10n ** 13n ? "now" : `integer ${value}`;
  if (typeof value === "number") return `real ${value}`;
  if (typeof value !== "string") return `blob ${value.length}`;
  const text = value
    .replaceAll(folder, "<folder>")
    .replaceAll(/m-[0-9a-f]{32}/gu, "<model>")
    .replaceAll(/[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}/gu, "<id>");
  return JSON.stringify(text);
}
