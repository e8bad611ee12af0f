import type { DatabaseSync, SQLInputValue } from "node:sqlite";
import type { ViewType } from "../../entities/lifecycle-stage.ts";
import { limits } from "../../entities/limits.ts";
import { invalidParameter } from "../../errors.ts";
import { createPageToken, parsePageToken } from "../../wire/page-token.ts";
import type { SqlRow } from "./rows.ts";
import type { SqlPiece } from "./search-conditions.ts";

/** The parts of a search's only SELECT; `where` is joined with AND. */
export interface SelectParts {
  readonly columns: string;
  readonly from: SqlPiece;
  readonly where: readonly SqlPiece[];
  readonly orderBy: string;
}

export interface PageQuery {
  readonly maxResults: number;
  readonly pageToken: string | undefined;
}

export interface SelectedPage {
  readonly rows: readonly SqlRow[];
  readonly nextPageToken?: string;
}

/** Rows `offset` to `offset + maxResults`; the token of the next page only while one more row exists. */
export function selectPage(db: DatabaseSync, parts: SelectParts, page: PageQuery): SelectedPage {
  const offset = parsePageToken(page.pageToken);
  if (page.maxResults === 0) return { rows: [] };
  const where = parts.where.map((piece) => piece.sql).join("\n  AND ");
  const sql = `SELECT ${parts.columns}\nFROM ${parts.from.sql}\nWHERE ${where}\nORDER BY ${parts.orderBy}\nLIMIT ? OFFSET ?`;
  const values: SQLInputValue[] = [...parts.from.values, ...parts.where.flatMap((piece) => piece.values)];
  const rows = db.prepare(sql).all(...values, page.maxResults + 1, offset);
  if (rows.length <= page.maxResults) return { rows };
  return { rows: rows.slice(0, -1), nextPageToken: createPageToken(offset + page.maxResults) };
}

/** The `maxResults` of a query: MLflow's default, or `INVALID_PARAMETER_VALUE` outside `minimum` to 50,000. */
export function checkMaxResults(maxResults: number | undefined, minimum: number): number {
  const value = maxResults ?? limits.defaultSearchResults;
  if (Number.isInteger(value) && value >= minimum && value <= limits.maxSearchResults) return value;
  throw invalidParameter(`max_results must be ${minimum} to ${limits.maxSearchResults}: ${value}`);
}

/** The lifecycle stages of a view, as a condition on `column`. */
export function compileViewType(column: string, viewType: ViewType = "ACTIVE_ONLY"): SqlPiece {
  switch (viewType) {
    case "ACTIVE_ONLY":
      return { sql: `${column} = 'active'`, values: [] };
    case "DELETED_ONLY":
      return { sql: `${column} = 'deleted'`, values: [] };
    case "ALL":
      return { sql: `${column} IN ('active', 'deleted')`, values: [] };
  }
}
