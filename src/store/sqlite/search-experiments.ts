import type { DatabaseSync } from "node:sqlite";
import type { Experiment } from "../../entities/experiment.ts";
import type { Tag } from "../../entities/tag.ts";
import type { ExperimentOrder } from "../../wire/order-by.ts";
import { parseExperimentOrderBy } from "../../wire/order-by.ts";
import { parseExperimentFilter } from "../../wire/search-filter.ts";
import type { Page, SearchExperimentsQuery } from "../tracking-store.ts";
import { experimentColumns, rowToExperiment, rowToPair, toText } from "./rows.ts";
import { compileExperimentComparison, experimentIdsJson } from "./search-conditions.ts";
import { prepareCached } from "./statements.ts";
import { checkMaxResults, compileViewType, selectPage } from "./search-page.ts";

/**
 * Experiments that fulfil the filter, with their tags. Default order: creation_time DESC, experiment_id ASC; ties of
 * another order: experiment_id DESC, as in MLflow. A mistake in the query is `INVALID_PARAMETER_VALUE`.
 */
export function searchExperiments(db: DatabaseSync, query: SearchExperimentsQuery): Page<Experiment> {
  const maxResults = checkMaxResults(query.maxResults, 1);
  const comparisons = parseExperimentFilter(query.filter ?? "");
  const parts = {
    columns: experimentColumns,
    from: { sql: "experiments e", values: [] },
    where: [compileViewType("e.lifecycle_stage", query.viewType), ...comparisons.map(compileExperimentComparison)],
    orderBy: compileOrder(parseExperimentOrderBy(query.orderBy ?? [])),
  };
  const { rows, ...next } = selectPage(db, parts, { maxResults, pageToken: query.pageToken });
  const tags = readTags(
    db,
    rows.map((row) => toText(row["experiment_id"])),
  );
  return { items: rows.map((row) => rowToExperiment(row, tags.get(toText(row["experiment_id"])) ?? [])), ...next };
}

function compileOrder(orders: readonly ExperimentOrder[]): string {
  if (orders.length === 0) return "e.creation_time DESC, e.experiment_id";
  const terms = orders.map(({ attribute, isDescending }) => `e.${attribute}${isDescending ? " DESC" : ""}`);
  return [...terms, "e.experiment_id DESC"].join(", ");
}

function readTags(db: DatabaseSync, experimentIds: readonly string[]): ReadonlyMap<string, readonly Tag[]> {
  const tags = new Map<string, Tag[]>();
  const sql = `SELECT CAST(experiment_id AS TEXT) AS owner, "key", value FROM experiment_tags
    WHERE experiment_id IN (SELECT value FROM json_each(?)) ORDER BY "key"`;
  for (const row of experimentIds.length === 0 ? [] : prepareCached(db, sql).all(experimentIdsJson(experimentIds))) {
    const owner = toText(row["owner"]);
    tags.set(owner, [...(tags.get(owner) ?? []), rowToPair(row)]);
  }
  return tags;
}
