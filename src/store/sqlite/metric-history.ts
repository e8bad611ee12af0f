import type { DatabaseSync } from "node:sqlite";
import type { Metric } from "../../entities/metric.ts";
import { invalidParameter } from "../../errors.ts";
import type { Page } from "../tracking-store.ts";
import { metricColumns, rowToMetric } from "./rows.ts";
import { prepareCached } from "./statements.ts";

export interface HistoryQuery {
  readonly runId: string;
  readonly key: string;
  /** At least 1; absent: everything. */
  readonly maxResults?: number;
  readonly pageToken?: string;
}

type Position = readonly [timestamp: number, step: number, value: number, isNan: number];

const beforeAll: Position = [-1, 0, 0, 0];

/** Up to here it is quicker to read all points of the run than to pick them out of all runs that have the key. */
const fewPoints = 20_000;
const countSql = `SELECT count(*) AS count FROM (SELECT 1 FROM metrics WHERE run_uuid = ? LIMIT ${fewPoints + 1})`;

const historySql = (keyColumn: string): string => `SELECT ${metricColumns} FROM metrics m
  WHERE m.run_uuid = ? AND ${keyColumn} = ? AND (m.timestamp, m.step, m.value, m.is_nan) > (?, ?, ?, ?)
  ORDER BY m.timestamp, m.step, m.value, m.is_nan LIMIT ?`;
const byKeySql = historySql('m."key"');
// The plus keeps SQLite from the primary key, which begins with the key and holds the points of all runs.
const byRunSql = historySql('+m."key"');

/** Ordered by timestamp, step, value. The token names the last point given, so points written meanwhile shift nothing. */
export function readMetricHistory(db: DatabaseSync, query: HistoryQuery): Page<Metric> {
  const { runId, key, maxResults, pageToken } = query;
  if (maxResults !== undefined && !(Number.isInteger(maxResults) && maxResults > 0)) {
    throw invalidParameter(
      `Invalid value ${maxResults} for parameter 'max_results': it must be a whole number above 0`,
    );
  }
  const position = pageToken === undefined || pageToken === "" ? beforeAll : parseToken(pageToken);
  const limit = maxResults === undefined ? -1 : maxResults + 1;
  const hasFewPoints = Number(prepareCached(db, countSql).get(runId)?.["count"]) <= fewPoints;
  const items = prepareCached(db, hasFewPoints ? byRunSql : byKeySql)
    .all(runId, key, ...position, limit)
    .map(rowToMetric);
  if (maxResults === undefined || items.length <= maxResults) return { items };
  items.length = maxResults;
  const last = items.at(-1);
  return last === undefined ? { items } : { items, nextPageToken: toToken(last) };
}

function toToken(metric: Metric): string {
  const isNan = Number.isNaN(metric.value);
  const position: Position = [metric.timestamp, metric.step, isNan ? 0 : metric.value, isNan ? 1 : 0];
  return Buffer.from(JSON.stringify(position)).toString("base64url");
}

function parseToken(token: string): Position {
  try {
    const position: unknown = JSON.parse(Buffer.from(token, "base64url").toString());
    if (Array.isArray(position) && position.length === 4 && position.every((part) => typeof part === "number")) {
      return position as unknown as Position;
    }
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw invalidParameter(`Invalid page token: ${token.slice(0, 100)}`);
}
