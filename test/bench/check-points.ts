import { DatabaseSync } from "node:sqlite";

/** Throws unless exactly so many points match a condition in SQL: what was not stored must not count as fast. */
export function checkPoints(database: string, condition: string, expected: number): void {
  using opened = new DatabaseSync(database, { readOnly: true });
  const row = opened.prepare(`SELECT count(*) AS points FROM metrics WHERE ${condition}`).get();
  const points = Number(row?.["points"]);
  if (points !== expected) throw new Error(`${points} points are stored instead of ${expected}`);
}
