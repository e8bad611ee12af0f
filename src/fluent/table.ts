import { invalidParameter } from "../errors.ts";
import { checkRecord } from "./argument-checks.ts";
import { jsonOf } from "./log-artifacts.ts";

/** Columns by name, of values or of one value for all rows; or rows. */
export type TableData = Readonly<Record<string, unknown>> | readonly Readonly<Record<string, unknown>>[];

/** A table as MLflow keeps it in a `.json` file (pandas' orient `split`). */
export interface Table {
  readonly columns: readonly string[];
  readonly data: readonly (readonly unknown[])[];
}

export type TableKind = "json" | "parquet";

/** A copy of what was given, which may be changed then. Throws `INVALID_PARAMETER_VALUE` for what is no table. */
export function tableOf(data: unknown, kind: TableKind): Table {
  const { columns, data: rows } = Array.isArray(data) ? tableOfRows(data) : tableOfColumns(data);
  if (kind === "json") return { columns, data: JSON.parse(jsonOf(rows)) as unknown[][] };
  const table = { columns, data: rows.map((row) => row.map(copyOf)) };
  cellKindsOf(table);
  return table;
}

/** What a column of a `.parquet` file holds. */
export type CellKind = "text" | "boolean" | "date" | "number" | "nested";

/** Of each column. Throws `INVALID_PARAMETER_VALUE` where one has more than one kind; one of nothing but empty cells is text. */
export function cellKindsOf({ columns, data }: Table): readonly CellKind[] {
  return columns.map((column, index) =>
    cellKindOf(
      column,
      data.map((row) => row[index] ?? null),
    ),
  );
}

function cellKindOf(column: string, values: readonly unknown[]): CellKind {
  const kinds = new Set(values.filter((value) => value !== null).map((value) => kindOf(column, value)));
  const [kind = "text"] = kinds;
  if (kinds.size <= 1) return kind;
  throw invalidParameter(`Column '${column}' of the table mixes ${[...kinds].join(" and ")}: a .json file takes that`);
}

function kindOf(column: string, value: unknown): CellKind {
  if (typeof value === "string") return "text";
  if (typeof value === "boolean") return "boolean";
  if (typeof value === "number" || typeof value === "bigint") return "number";
  if (value instanceof Date) return "date";
  if (typeof value === "object") return "nested";
  throw invalidParameter(`Column '${column}' of the table holds a ${typeof value}, which no file can`);
}

/** What was logged before comes first; a column that one of the two lacks is empty there. */
export function joined(before: Table | undefined, added: Table): Table {
  if (before === undefined) return added;
  const columns = [...new Set([...before.columns, ...added.columns])];
  const rowsOf = ({ columns: names, data }: Table) => {
    const indexes = columns.map((column) => names.indexOf(column));
    return data.map((row) => indexes.map((index) => row[index] ?? null));
  };
  return { columns, data: [...rowsOf(before), ...rowsOf(added)] };
}

/** Reads a file that MLflow or this library wrote. Throws `INVALID_PARAMETER_VALUE` for any other. */
export function tableOfJson(text: string, artifactFile: string): Table {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  if (isTable(value)) return value;
  throw invalidParameter(`'${artifactFile}' is there already and is no table that could be appended to`);
}

function isTable(value: unknown): value is Table {
  if (typeof value !== "object" || value === null) return false;
  const { columns, data } = value as Partial<Record<keyof Table, unknown>>;
  return Array.isArray(columns) && Array.isArray(data) && data.every(Array.isArray);
}

/** As pandas has it: a single value stands in all rows, and a table of nothing else has one row. */
function tableOfColumns(data: unknown): Table {
  checkRecord("data", data);
  const columns = Object.keys(data);
  const lists = Object.values(data).filter((value) => Array.isArray(value));
  const length = lists[0]?.length ?? Math.min(1, columns.length);
  if (lists.some((list) => list.length !== length)) throw invalidParameter("All columns must be of the same length");
  const cell = (column: string, row: number): unknown => {
    const value = data[column];
    return Array.isArray(value) ? (value as unknown[])[row] : value;
  };
  const rows = Array.from({ length }, (_, row) => columns.map((column) => cell(column, row)));
  return { columns, data: rows };
}

function tableOfRows(rows: readonly unknown[]): Table {
  const columns = new Set<string>();
  for (const row of rows) {
    checkRecord("row", row);
    for (const column of Object.keys(row)) columns.add(column);
  }
  const data = rows.map((row) => Array.from(columns, (column) => (row as Record<string, unknown>)[column] ?? null));
  return { columns: [...columns], data };
}

function copyOf(value: unknown): unknown {
  if (value === undefined) return null;
  if (value instanceof Date) return new Date(value);
  return typeof value === "object" && value !== null ? JSON.parse(jsonOf(value)) : value;
}
