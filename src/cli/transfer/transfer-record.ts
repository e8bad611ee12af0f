import type { Experiment } from "../../entities/experiment.ts";
import type { LoggedModel } from "../../entities/logged-model.ts";
import type { Metric } from "../../entities/metric.ts";
import type { Run } from "../../entities/run.ts";
import { StoreError } from "../../errors.ts";
import { loggedModelFromJson } from "../../wire/logged-model-json-read.ts";
import { experimentToJson, type JsonObject, metricToJson, runToJson } from "../../wire/rest-json.ts";
import { loggedModelToJson } from "../../wire/rest-json-models.ts";
import { experimentFromJson, metricFromJson, runFromJson } from "../../wire/rest-json-read.ts";
import { isJsonObject, readInteger, readList, readObject, readText } from "../../wire/rest-json-values.ts";

/**
 * An experiment, which may have no runs, or a run as it goes from one store to another, in this order: `run`, its models, its metrics in pages, its artifacts by name,
 * `end`. The run's own `data.metrics` are the latest points; the whole history is in the pages.
 */
export type TransferRecord =
  | { readonly type: "experiment"; readonly experiment: Experiment }
  | { readonly type: "run"; readonly run: Run; readonly experiment: Experiment }
  | { readonly type: "model"; readonly runId: string; readonly model: LoggedModel }
  | { readonly type: "metrics"; readonly runId: string; readonly metrics: readonly Metric[] }
  | { readonly type: "artifact"; readonly runId: string; readonly path: string; readonly size?: number }
  /** Nothing of the run is missing. */
  | { readonly type: "end"; readonly runId: string };

/** Version of the format, in each `run`; a reader refuses a newer one. */
const formatVersion = 1;

/** One line of NDJSON, without its end. */
export function encodeRecord(record: TransferRecord): string {
  return JSON.stringify(toJson(record));
}

/** `undefined` for a kind of record that a newer `track` may have. Anything malformed: `StoreError`. */
export function decodeRecord(line: string): TransferRecord | undefined {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new StoreError("INVALID_PARAMETER_VALUE", "no JSON", { cause: error });
  }
  if (!isJsonObject(json)) throw new StoreError("INVALID_PARAMETER_VALUE", "no JSON object");
  return fromJson(json);
}

function toJson(record: TransferRecord): JsonObject {
  switch (record.type) {
    case "experiment":
      return { type: "experiment", experiment: experimentToJson(record.experiment) };
    case "run": {
      const { run, experiment } = record;
      return { type: "run", version: formatVersion, experiment: experimentToJson(experiment), run: runToJson(run) };
    }
    case "model":
      return { type: "model", run_id: record.runId, model: loggedModelToJson(record.model) };
    case "metrics":
      return { type: "metrics", run_id: record.runId, metrics: record.metrics.map(metricToJson) };
    case "artifact":
      return { type: "artifact", run_id: record.runId, path: record.path, file_size: record.size };
    case "end":
      return { type: "end", run_id: record.runId };
  }
}

function fromJson(json: JsonObject): TransferRecord | undefined {
  const type = readText(json, "type");
  if (type === "run") {
    const version = readInteger(json, "version") ?? 0;
    if (version > formatVersion) {
      throw new StoreError("INVALID_PARAMETER_VALUE", `it was exported by a newer track (format ${version})`);
    }
    return {
      type,
      run: runFromJson(readObject(json, "run")),
      experiment: experimentFromJson(readObject(json, "experiment")),
    };
  }
  if (type === "experiment") return { type, experiment: experimentFromJson(readObject(json, "experiment")) };
  const runId = readText(json, "run_id", "");
  switch (type) {
    case "model":
      return { type, runId, model: loggedModelFromJson(readObject(json, "model")) };
    case "metrics":
      return { type, runId, metrics: readList(json, "metrics", metricFromJson) };
    case "artifact": {
      const size = readInteger(json, "file_size");
      return { type, runId, path: readText(json, "path"), ...(size !== undefined && { size }) };
    }
    case "end":
      return { type, runId };
    default:
      return undefined;
  }
}
