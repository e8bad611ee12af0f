import type { DatabaseSync } from "node:sqlite";
import type { MetricSummary } from "../metric-summaries.ts";
import { type SqlRow, toNumber, toText } from "./rows.ts";
import { prepareCached } from "./statements.ts";

/** Runs up to this many points are read whole: about 10 ms. A million would take 500 ms, sampled it takes 5. */
const wholeLimit = 20_000;
const sampledPlaces = 128;
const pointsPerPlace = 64;

const countSql = `SELECT count(*) AS count FROM (SELECT 1 FROM metrics WHERE run_uuid = ? LIMIT ${wholeLimit + 1})`;
// Two statements: SQLite answers min and max of an index at once only when asked for one of them.
const firstSql = "SELECT min(rowid) AS edge FROM metrics WHERE run_uuid = ?";
const lastSql = "SELECT max(rowid) AS edge FROM metrics WHERE run_uuid = ?";
const pointsSql = `SELECT rowid, "key", value, is_nan FROM metrics WHERE run_uuid = ? AND rowid >= ? ORDER BY rowid LIMIT ?`;

/** Sums up the metrics of one run; rows are in the order of arrival, which the index on run_uuid gives for nothing. */
export function readMetricSummaries(db: DatabaseSync, runId: string, seriesLength: number): readonly MetricSummary[] {
  const isComplete = toNumber(prepareCached(db, countSql).get(runId)?.["count"]) <= wholeLimit;
  const rows = isComplete ? prepareCached(db, pointsSql).all(runId, 0, wholeLimit) : readSample(db, runId);
  const valuesByKey = new Map<string, number[]>();
  for (const row of rows) {
    const key = toText(row["key"]);
    const value = row["is_nan"] === 1 ? Number.NaN : toNumber(row["value"]);
    const values = valuesByKey.get(key);
    if (values === undefined) valuesByKey.set(key, [value]);
    else values.push(value);
  }
  return [...valuesByKey]
    .map(([key, values]) => summarize(key, values, { seriesLength, isComplete }))
    .sort((one, other) => (one.key < other.key ? -1 : 1));
}

/** A few neighbouring points from many places, so that a metric logged among others is met too. */
function readSample(db: DatabaseSync, runId: string): readonly SqlRow[] {
  const first = toNumber(prepareCached(db, firstSql).get(runId)?.["edge"]);
  const last = toNumber(prepareCached(db, lastSql).get(runId)?.["edge"]);
  const points = prepareCached(db, pointsSql);
  const rows: SqlRow[] = [];
  let next = first;
  for (let place = 0; place < sampledPlaces; place += 1) {
    const from = first + Math.floor(((last - first) * place) / sampledPlaces);
    // Where other runs wrote in between, several places lead to the same points: they count once.
    if (from < next) continue;
    const found = points.all(runId, from, pointsPerPlace);
    rows.push(...found);
    next = toNumber(found.at(-1)?.["rowid"] ?? last) + 1;
  }
  return rows;
}

function summarize(
  key: string,
  values: readonly number[],
  options: { readonly seriesLength: number; readonly isComplete: boolean },
): MetricSummary {
  const numbers = values.filter((value) => !Number.isNaN(value));
  const extremes = numbers.length > 0 && {
    min: numbers.reduce((low, value) => Math.min(low, value)),
    max: numbers.reduce((high, value) => Math.max(high, value)),
  };
  return {
    key,
    count: values.length,
    ...extremes,
    series: downsample(values, options.seriesLength),
    isComplete: options.isComplete,
  };
}

/** Means of `length` groups of neighbours; NaN only where a whole group is NaN. */
function downsample(values: readonly number[], length: number): readonly number[] {
  if (values.length <= length) return values;
  return Array.from({ length }, (_, index) => {
    const from = Math.floor((index * values.length) / length);
    const group = values
      .slice(from, Math.floor(((index + 1) * values.length) / length))
      .filter((value) => !Number.isNaN(value));
    return group.length === 0 ? Number.NaN : group.reduce((sum, value) => sum + value, 0) / group.length;
  });
}
