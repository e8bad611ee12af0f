import type { DatabaseSync } from "node:sqlite";
import type { DatasetInput } from "../../entities/dataset.ts";
import type { Run, RunData, RunInfo } from "../../entities/run.ts";
import { mlflowTags } from "../../entities/tag-keys.ts";
import type { Tag } from "../../entities/tag.ts";
import { metricColumns, rowToDataset, rowToMetric, rowToPair, type SqlRow, toNumber, toText } from "./rows.ts";
import { prepareCached } from "./statements.ts";

const wantedRuns = "(SELECT value FROM json_each(?))";
const metricsSql = `SELECT m.run_uuid, ${metricColumns} FROM latest_metrics m WHERE m.run_uuid IN ${wantedRuns} ORDER BY m."key"`;
const paramsSql = `SELECT run_uuid, "key", value FROM params WHERE run_uuid IN ${wantedRuns} ORDER BY "key"`;
const tagsSql = `SELECT run_uuid, "key", value FROM tags WHERE run_uuid IN ${wantedRuns} ORDER BY "key"`;
const datasetsSql = `SELECT i.destination_id AS run_uuid, i.input_uuid, d.name, d.digest, d.dataset_source_type, d.dataset_source,
    d.dataset_schema, d.dataset_profile
  FROM inputs i JOIN datasets d ON d.dataset_uuid = i.source_id
  WHERE i.destination_type = 'RUN' AND i.source_type = 'DATASET' AND i.destination_id IN ${wantedRuns} ORDER BY i.rowid`;
const inputTagsSql = `SELECT t.input_uuid, t.name AS "key", t.value FROM input_tags t WHERE t.input_uuid IN ${wantedRuns}
  ORDER BY t.name`;
const modelsSql = `SELECT i.source_id AS run_uuid, i.source_type, i.destination_id, CAST(i.step AS REAL) AS step FROM inputs i
  WHERE i.source_type IN ('RUN_INPUT', 'RUN_OUTPUT') AND i.source_id IN ${wantedRuns} ORDER BY i.rowid`;

/** Adds data, inputs and outputs to runs, in a fixed number of statements for any number of runs; keeps their order. */
export function readRuns(db: DatabaseSync, infos: readonly RunInfo[]): readonly Run[] {
  if (infos.length === 0) return [];
  const ids = JSON.stringify(infos.map((info) => info.runId));
  const read = (sql: string) => groupByRun(prepareCached(db, sql).all(ids));
  const metrics = read(metricsSql);
  const params = read(paramsSql);
  const tags = read(tagsSql);
  const datasets = read(datasetsSql);
  const models = read(modelsSql);
  const inputTags = readInputTags(db, datasets);
  return infos.map((info) => {
    const runTags = tags.get(info.runId)?.map(rowToPair) ?? [];
    const runModels = models.get(info.runId) ?? [];
    return {
      info: withNameFromTag(info, runTags),
      data: toData(metrics.get(info.runId), params.get(info.runId), runTags),
      inputs: {
        datasetInputs: datasets.get(info.runId)?.map((row) => toDatasetInput(row, inputTags)) ?? [],
        modelIds: runModels.filter((row) => row["source_type"] === "RUN_INPUT").map(toModelId),
      },
      outputs: {
        models: runModels
          .filter((row) => row["source_type"] === "RUN_OUTPUT")
          .map((row) => ({ modelId: toModelId(row), step: toNumber(row["step"]) })),
      },
    };
  });
}

function toData(metrics: readonly SqlRow[] = [], params: readonly SqlRow[] = [], tags: readonly Tag[] = []): RunData {
  return { metrics: metrics.map(rowToMetric), params: params.map(rowToPair), tags };
}

/** MLflow 1.x wrote the name only as a tag. */
function withNameFromTag(info: RunInfo, tags: readonly Tag[]): RunInfo {
  if (info.runName !== "") return info;
  return { ...info, runName: tags.find((tag) => tag.key === mlflowTags.runName)?.value ?? "" };
}

function readInputTags(db: DatabaseSync, datasets: ReadonlyMap<string, readonly SqlRow[]>): Map<string, SqlRow[]> {
  const ids = [...datasets.values()].flat().map((row) => toText(row["input_uuid"]));
  if (ids.length === 0) return new Map();
  return groupBy(prepareCached(db, inputTagsSql).all(JSON.stringify(ids)), "input_uuid");
}

function toDatasetInput(row: SqlRow, inputTags: ReadonlyMap<string, readonly SqlRow[]>): DatasetInput {
  const tags = inputTags.get(toText(row["input_uuid"]))?.map(rowToPair) ?? [];
  return { dataset: rowToDataset(row), tags };
}

function toModelId(row: SqlRow): string {
  return toText(row["destination_id"]);
}

function groupByRun(rows: readonly SqlRow[]): Map<string, SqlRow[]> {
  return groupBy(rows, "run_uuid");
}

function groupBy(rows: readonly SqlRow[], column: string): Map<string, SqlRow[]> {
  const groups = new Map<string, SqlRow[]>();
  for (const row of rows) {
    const id = toText(row[column]);
    const group = groups.get(id);
    if (group === undefined) groups.set(id, [row]);
    else group.push(row);
  }
  return groups;
}
