import type { DatasetInput } from "../../entities/dataset.ts";
import { StoreError } from "../../errors.ts";
import { datasetInputToJson } from "../../wire/rest-json.ts";
import type { RestApi } from "./rest-api.ts";
import { getRun } from "./runs.ts";

/** MLflow takes no more in one call. */
const datasetsPerCall = 1000;

export async function logInputs(
  api: RestApi,
  runId: string,
  datasets: readonly DatasetInput[],
  modelIds: readonly string[],
): Promise<void> {
  for (let from = 0; from === 0 || from < datasets.length; from += datasetsPerCall) {
    await api.post("runs/log-inputs", {
      run_id: runId,
      datasets: datasets.slice(from, from + datasetsPerCall).map(datasetInputToJson),
      models: from === 0 ? modelIds.map((modelId) => ({ model_id: modelId })) : [],
    });
  }
}

/** MLflow stumbles over a model that the run has already, and then takes none: only those that are missing are sent again. */
export async function logOutputs(
  api: RestApi,
  runId: string,
  models: readonly { readonly modelId: string; readonly step: number }[],
): Promise<void> {
  if (models.length === 0) return;
  try {
    await postOutputs(api, runId, models);
  } catch (error) {
    if (!(error instanceof StoreError) || error.errorCode !== "BAD_REQUEST") throw error;
    const known = (await getRun(api, runId)).outputs.models;
    const missing = models.filter(({ modelId }) => !known.some((output) => output.modelId === modelId));
    if (missing.length === models.length) throw error;
    if (missing.length > 0) await postOutputs(api, runId, missing);
  }
}

async function postOutputs(
  api: RestApi,
  runId: string,
  models: readonly { readonly modelId: string; readonly step: number }[],
): Promise<void> {
  await api.post("runs/outputs", {
    run_id: runId,
    models: models.map(({ modelId, step }) => ({ model_id: modelId, step })),
  });
}
