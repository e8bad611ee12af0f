import type { DatabaseSync } from "node:sqlite";
import type { DatasetSummary } from "../tracking-store.ts";
import { toText } from "./rows.ts";
import { experimentIdsJson } from "./search-conditions.ts";
import { prepareCached } from "./statements.ts";

/** MLflow's limit. */
const maxSummaries = 1000;

const summarySql = `SELECT DISTINCT CAST(d.experiment_id AS TEXT) AS experiment_id, d.name, d.digest, t.value AS context
  FROM datasets d JOIN inputs i ON i.source_id = d.dataset_uuid
  LEFT JOIN input_tags t ON t.input_uuid = i.input_uuid AND t.name = 'mlflow.data.context'
  WHERE d.experiment_id IN (SELECT value FROM json_each(?)) ORDER BY 1, 2, 3, 4 LIMIT ${maxSummaries}`;

/** Each dataset that runs of the experiments used, once for each context. */
export function searchDatasets(db: DatabaseSync, experimentIds: readonly string[]): readonly DatasetSummary[] {
  const rows = prepareCached(db, summarySql).all(experimentIdsJson(experimentIds));
  return rows.map((row) => ({
    experimentId: toText(row["experiment_id"]),
    name: toText(row["name"]),
    digest: toText(row["digest"]),
    ...(typeof row["context"] === "string" && { context: row["context"] }),
  }));
}
