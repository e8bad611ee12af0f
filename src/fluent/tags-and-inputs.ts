import type { DatasetInput } from "../entities/dataset.ts";
import { checkDatasetInput } from "../entities/validation.ts";
import { ActiveRun } from "./active-run.ts";
import { checkName, checkOptions, checkRecord, checkText, type TextValue, textOf } from "./argument-checks.ts";
import { currentExperimentId } from "./experiments.ts";
import { slotForLogging } from "./runs.ts";
import { askStore } from "./session.ts";

/**
 * Removes a tag of the active run; without one a run is started. Rejects with `RESOURCE_DOES_NOT_EXIST` where the run has no such tag
 * (MLflow's `delete_tag`).
 */
export async function deleteTag(key: string): Promise<void> {
  checkName("tag", key);
  const { session, runId } = await openedLog();
  await askStore((store) => store.deleteTag(runId, key), Promise.resolve(session));
}

/**
 * Sets a tag of the active experiment: that of `setExperiment`, of the environment, else `0`. A value has 5,000 characters at most:
 * over it `INVALID_PARAMETER_VALUE` (MLflow's `set_experiment_tag`).
 */
export async function setExperimentTag(key: string, value: TextValue): Promise<void> {
  await setExperimentTags({ [key]: value });
}

/** The same for several tags. */
export async function setExperimentTags(tags: Readonly<Record<string, TextValue>>): Promise<void> {
  checkRecord("tags", tags);
  const pairs = Object.entries(tags).map(([key, value]) => {
    checkName("tag", key);
    return { key, value: textOf("tag", key, value) };
  });
  await askStore(async (store) => {
    const experimentId = await currentExperimentId(store);
    for (const tag of pairs) await store.setExperimentTag(experimentId, tag);
  });
}

/** A dataset that a run used; `source`, `schema` and `profile` are JSON text, or a value that becomes it. */
export interface DatasetDescription {
  readonly name: string;
  /** At most 36 characters that tell one content from another; by default of name and source. */
  readonly digest?: string;
  /** Such as `local`, `http`, `s3`; default `code`. */
  readonly sourceType?: string;
  readonly source?: string | object;
  readonly schema?: string | object;
  readonly profile?: string | object;
}

export interface LogInputOptions {
  /** What the dataset was used for, such as `training`: tag `mlflow.data.context` of the input. */
  readonly context?: string;
  readonly tags?: Readonly<Record<string, TextValue>>;
}

const datasetFields = ["name", "digest", "sourceType", "source", "schema", "profile"];

/**
 * Says that the active run used a dataset (MLflow's `log_input`); without a run one is started. Rejects with `INVALID_PARAMETER_VALUE` for
 * names and texts over MLflow's limits (contract 3).
 */
export async function logInput(dataset: DatasetDescription, options: LogInputOptions = {}): Promise<void> {
  const input = await inputOf(dataset, options);
  const { session, runId } = await openedLog();
  await askStore((store) => store.logInputs(runId, [input], []), Promise.resolve(session));
}

async function inputOf(dataset: DatasetDescription, options: LogInputOptions): Promise<DatasetInput> {
  checkOptions("logInput", dataset, datasetFields);
  checkOptions("logInput", options, ["context", "tags"]);
  const { name, sourceType = "code", schema, profile } = dataset;
  checkText("name", name);
  checkText("sourceType", sourceType);
  const source = asText("source", dataset.source ?? {});
  const digest = dataset.digest ?? (await digestOf(`${name}\n${source}`));
  checkText("digest", digest);
  const { context, tags = {} } = options;
  const all = context === undefined ? tags : { ...tags, "mlflow.data.context": context };
  const input: DatasetInput = {
    dataset: {
      name,
      digest,
      sourceType,
      source,
      ...(schema !== undefined && { schema: asText("schema", schema) }),
      ...(profile !== undefined && { profile: asText("profile", profile) }),
    },
    tags: Object.entries(all).map(([key, value]) => ({ key, value: textOf("tag", key, value) })),
  };
  checkDatasetInput(input);
  return input;
}

/** Loaded only here: it costs some ms at the start of a program. */
async function digestOf(text: string): Promise<string> {
  const { createHash } = await import("node:crypto");
  return createHash("sha256").update(text).digest("hex").slice(0, 8);
}

function asText(what: string, value: unknown): string {
  return textOf("dataset", what, value);
}

async function openedLog() {
  return ActiveRun.logOf(await slotForLogging().opened);
}
