import type { DatabaseSync } from "node:sqlite";
import type { Dataset, DatasetInput } from "../../entities/dataset.ts";
import { randomHex } from "../../util/ids.ts";
import { toText } from "./rows.ts";
import { getActiveRunInfo } from "./runs.ts";
import { prepareCached } from "./statements.ts";

const insertDatasetSql = `INSERT INTO datasets
  (dataset_uuid, experiment_id, name, digest, dataset_source_type, dataset_source, dataset_schema, dataset_profile)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?)`;
const insertEdgeSql = `INSERT INTO inputs (input_uuid, source_type, source_id, destination_type, destination_id, step)
  VALUES (?, ?, ?, ?, ?, ?)
  ON CONFLICT(source_type, source_id, destination_type, destination_id) DO UPDATE SET step = excluded.step
  RETURNING input_uuid`;

/** A dataset is stored once per experiment, name and digest; what a run is said to use twice is kept, tags included, as first said. */
export function logInputs(
  db: DatabaseSync,
  runId: string,
  datasets: readonly DatasetInput[],
  modelIds: readonly string[],
): void {
  const { experimentId } = getActiveRunInfo(db, runId);
  for (const { dataset, tags } of datasets) {
    const datasetUuid = findDataset(db, experimentId, dataset) ?? insertDataset(db, experimentId, dataset);
    const edge = { source: ["DATASET", datasetUuid], destination: ["RUN", runId], step: 0 } as const;
    const newUuid = randomHex(16);
    if (putEdge(db, newUuid, edge) !== newUuid) continue;
    const insertTag = prepareCached(
      db,
      "INSERT INTO input_tags (input_uuid, name, value) VALUES (?, ?, ?) ON CONFLICT(input_uuid, name) DO UPDATE SET value = excluded.value",
    );
    for (const tag of tags) insertTag.run(newUuid, tag.key, tag.value);
  }
  for (const modelId of modelIds) {
    putEdge(db, randomHex(16), { source: ["RUN_INPUT", runId], destination: ["MODEL_INPUT", modelId], step: 0 });
  }
}

/** A model that is said twice keeps the last step, so that a replay is harmless. */
export function logOutputs(
  db: DatabaseSync,
  runId: string,
  models: readonly { readonly modelId: string; readonly step: number }[],
): void {
  getActiveRunInfo(db, runId);
  for (const { modelId, step } of models) {
    putEdge(db, randomHex(16), { source: ["RUN_OUTPUT", runId], destination: ["MODEL_OUTPUT", modelId], step });
  }
}

interface Edge {
  readonly source: readonly [type: string, id: string];
  readonly destination: readonly [type: string, id: string];
  readonly step: number;
}

/** The edge's id: `newUuid`, or that of the edge that was there. */
function putEdge(db: DatabaseSync, newUuid: string, edge: Edge): string {
  const row = prepareCached(db, insertEdgeSql).get(newUuid, ...edge.source, ...edge.destination, edge.step);
  return toText(row?.["input_uuid"]);
}

function findDataset(db: DatabaseSync, experimentId: string, dataset: Dataset): string | undefined {
  const sql = "SELECT dataset_uuid FROM datasets WHERE experiment_id = ? AND name = ? AND digest = ?";
  const row = prepareCached(db, sql).get(BigInt(experimentId), dataset.name, dataset.digest);
  return row === undefined ? undefined : toText(row["dataset_uuid"]);
}

function insertDataset(db: DatabaseSync, experimentId: string, dataset: Dataset): string {
  const datasetUuid = randomHex(16);
  const { name, digest, sourceType, source, schema = null, profile = null } = dataset;
  const about = [name, digest, sourceType, source, schema, profile] as const;
  prepareCached(db, insertDatasetSql).run(datasetUuid, BigInt(experimentId), ...about);
  return datasetUuid;
}
