import type { DatabaseSync } from "node:sqlite";
import type { DatasetInput } from "../../entities/dataset.ts";
import type { Metric } from "../../entities/metric.ts";
import type { Param } from "../../entities/param.ts";
import type { Run, RunInfo } from "../../entities/run.ts";
import { mlflowTags } from "../../entities/tag-keys.ts";
import type { Tag } from "../../entities/tag.ts";
import type { SqlRow } from "./rows.ts";
import { metricColumns, rowToDataset, rowToMetric, rowToPair, toNumber, toText } from "./rows.ts";
import { prepareCached } from "./statements.ts";

/**
 * Adds latest metrics, params, tags, inputs and outputs to runs, in the order given, with a fixed number of statements.
 * A run whose name is only in its tag (MLflow 1.x) gets it from there.
 */
export function hydrateRuns(db: DatabaseSync, infos: readonly RunInfo[]): readonly Run[] {
  if (infos.length === 0) return [];
  const ids = JSON.stringify(infos.map((info) => info.runId));
  const list = "(SELECT value FROM json_each(?))";
  const read = (sql: string): readonly SqlRow[] => prepareCached(db, sql).all(ids);
  const metrics = groupRows(
    read(`SELECT ${metricColumns}, m.run_uuid AS owner FROM latest_metrics m WHERE m.run_uuid IN ${list}`),
    rowToMetric,
  );
  const params = groupRows(
    read(`SELECT "key", value, run_uuid AS owner FROM params WHERE run_uuid IN ${list}`),
    rowToPair,
  );
  const tags = groupRows(read(`SELECT "key", value, run_uuid AS owner FROM tags WHERE run_uuid IN ${list}`), rowToPair);
  const datasets = readDatasetInputs(db, ids);
  const models = groupRows(
    read(`${modelSql("RUN_INPUT", "MODEL_INPUT")} AND source_id IN ${list} ORDER BY rowid`),
    rowToModel,
  );
  const outputs = groupRows(
    read(`${modelSql("RUN_OUTPUT", "MODEL_OUTPUT")} AND source_id IN ${list} ORDER BY rowid`),
    rowToModel,
  );
  return infos.map((info) => {
    const data = {
      metrics: metrics.get(info.runId) ?? noMetrics,
      params: params.get(info.runId) ?? noPairs,
      tags: tags.get(info.runId) ?? noPairs,
    };
    return {
      info: info.runName === "" ? nameFromTags(info, data.tags) : info,
      data,
      inputs: {
        datasetInputs: datasets.get(info.runId) ?? [],
        modelIds: (models.get(info.runId) ?? []).map((model) => model.modelId),
      },
      outputs: { models: outputs.get(info.runId) ?? [] },
    };
  });
}

const noMetrics: readonly Metric[] = [];
const noPairs: readonly (Param & Tag)[] = [];

function nameFromTags(info: RunInfo, tags: readonly Tag[]): RunInfo {
  const name = tags.find((tag) => tag.key === mlflowTags.runName)?.value;
  return name === undefined ? info : { ...info, runName: name };
}

function modelSql(sourceType: string, destinationType: string): string {
  return `SELECT source_id AS owner, destination_id AS model_id, CAST(step AS REAL) AS step FROM inputs
    WHERE source_type = '${sourceType}' AND destination_type = '${destinationType}'`;
}

function rowToModel(row: SqlRow): { readonly modelId: string; readonly step: number } {
  return { modelId: toText(row["model_id"]), step: toNumber(row["step"]) };
}

function readDatasetInputs(db: DatabaseSync, runIds: string): ReadonlyMap<string, readonly DatasetInput[]> {
  const sql = `SELECT i.destination_id AS owner, i.input_uuid, d.name, d.digest, d.dataset_source_type, d.dataset_source,
         d.dataset_schema, d.dataset_profile
       FROM inputs i JOIN datasets d ON d.dataset_uuid = i.source_id
       WHERE i.destination_type = 'RUN' AND i.source_type = 'DATASET'
         AND i.destination_id IN (SELECT value FROM json_each(?)) ORDER BY i.rowid`;
  const rows = prepareCached(db, sql).all(runIds);
  if (rows.length === 0) return new Map();
  const inputIds = JSON.stringify(rows.map((row) => toText(row["input_uuid"])));
  const tagSql = `SELECT name AS "key", value, input_uuid AS owner FROM input_tags
    WHERE input_uuid IN (SELECT value FROM json_each(?))`;
  const tags = groupRows(prepareCached(db, tagSql).all(inputIds), rowToPair);
  return groupRows(rows, (row) => ({ dataset: rowToDataset(row), tags: tags.get(toText(row["input_uuid"])) ?? [] }));
}

/** What `read` makes of the rows, by their column `owner`. */
function groupRows<Item>(rows: readonly SqlRow[], read: (row: SqlRow) => Item): ReadonlyMap<string, readonly Item[]> {
  const groups = new Map<string, Item[]>();
  for (const row of rows) {
    const owner = toText(row["owner"]);
    const group = groups.get(owner);
    if (group === undefined) groups.set(owner, [read(row)]);
    else group.push(read(row));
  }
  return groups;
}
