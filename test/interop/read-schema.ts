import { DatabaseSync } from "node:sqlite";

type Rows = readonly Readonly<Record<string, unknown>>[];

export interface TableSchema {
  readonly columns: Rows;
  readonly indexes: Rows;
  readonly foreignKeys: Rows;
}

/** The tables of a database file by name: columns, indexes and foreign keys, each sorted, but not the wording of the DDL. */
export function readSchema(path: string): Readonly<Record<string, TableSchema>> {
  const db = new DatabaseSync(path, { readOnly: true });
  try {
    const rows = (sql: string, ...values: string[]): Rows =>
      db
        .prepare(sql)
        .all(...values)
        .map((row) => ({ ...row }));
    const names = rows("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").map(({ name }) =>
      String(name),
    );
    return Object.fromEntries(
      names.map((name) => [
        name,
        {
          columns: rows('SELECT name, type, "notnull", dflt_value, pk FROM pragma_table_info(?) ORDER BY name', name),
          indexes: rows(
            `SELECT i.name, i."unique", i.origin, (SELECT group_concat(c.name) FROM pragma_index_info(i.name) c) AS columns
             FROM pragma_index_list(?) i ORDER BY columns, i.name`,
            name,
          ),
          foreignKeys: rows(
            'SELECT "table", "from", "to", on_update, on_delete FROM pragma_foreign_key_list(?) ORDER BY "from", "table", "to"',
            name,
          ),
        },
      ]),
    );
  } finally {
    db.close();
  }
}
