import type { DatabaseSync } from "node:sqlite";
import type { DatasetInput } from "../../entities/dataset.ts";
import type { Metric } from "../../entities/metric.ts";
import type { Param } from "../../entities/param.ts";
import type { Run, RunInfo } from "../../entities/run.ts";
import { mlflowTags } from "../../entities/tag-keys.ts";
import type { Tag } from "../../entities/tag.ts";
import type { RunFields } from "../run-fields.ts";
import type { SqlRow } from "./rows.ts";
import { metricColumns, rowToDataset, rowToMetric, rowToPair, toNumber, toText } from "./rows.ts";
import { prepareCached } from "./statements.ts";

/**
 * Adds latest metrics, params, tags, inputs and outputs to runs, in the order given, with a fixed number of statements;
 * with `fields` the data of those keys alone. A run whose name is only in its tag (MLflow 1.x) gets it from there.
 */
export function hydrateRuns(db: DatabaseSync, infos: readonly RunInfo[], fields?: RunFields): readonly Run[] {
  if (infos.length === 0) return [];
  const ids = JSON.stringify(infos.map((info) => info.runId));
  const metrics = readData(
    db,
    { table: "latest_metrics", columns: metricColumns, ids, keys: fields?.metrics },
    rowToMetric,
  );
  const params = readData(db, { table: "params", columns: pairColumns, ids, keys: fields?.params }, rowToPair);
  const tags = readData(db, { table: "tags", columns: pairColumns, ids, keys: tagKeys(infos, fields) }, rowToPair);
  const inputs = fields === undefined ? readInputs(db, ids) : noInputs;
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
        datasetInputs: inputs.datasets.get(info.runId) ?? [],
        modelIds: (inputs.models.get(info.runId) ?? []).map((model) => model.modelId),
      },
      outputs: { models: inputs.outputs.get(info.runId) ?? [] },
    };
  });
}

interface DataQuery {
  readonly table: "latest_metrics" | "params" | "tags";
  readonly columns: string;
  /** JSON array of run ids. */
  readonly ids: string;
  /** Absent: all. */
  readonly keys: readonly string[] | undefined;
}

const pairColumns = 'm."key", m.value';

function readData<Item>(
  db: DatabaseSync,
  { table, columns, ids, keys }: DataQuery,
  read: (row: SqlRow) => Item,
): ReadonlyMap<string, readonly Item[]> {
  if (keys?.length === 0) return new Map();
  const sql = `SELECT ${columns}, m.run_uuid AS owner FROM ${table} m WHERE m.run_uuid IN ${list}`;
  if (keys === undefined) return groupRows(prepareCached(db, sql).all(ids), read);
  return groupRows(prepareCached(db, `${sql} AND m."key" IN ${list}`).all(ids, JSON.stringify(keys)), read);
}

const list = "(SELECT value FROM json_each(?))";

/** The tag of the name, too, where the name is nowhere else. */
function tagKeys(infos: readonly RunInfo[], fields: RunFields | undefined): readonly string[] | undefined {
  if (fields === undefined || !infos.some((info) => info.runName === "")) return fields?.tags;
  return [...new Set([...fields.tags, mlflowTags.runName])];
}

function readInputs(db: DatabaseSync, ids: string) {
  const readModels = (source: string, destination: string) => {
    const sql = `${modelSql(source, destination)} AND source_id IN ${list} ORDER BY rowid`;
    return groupRows(prepareCached(db, sql).all(ids), rowToModel);
  };
  return {
    datasets: readDatasetInputs(db, ids),
    models: readModels("RUN_INPUT", "MODEL_INPUT"),
    outputs: readModels("RUN_OUTPUT", "MODEL_OUTPUT"),
  };
}

const noInputs: ReturnType<typeof readInputs> = { datasets: new Map(), models: new Map(), outputs: new Map() };
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
