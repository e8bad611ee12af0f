import type { Experiment } from "../../entities/experiment.ts";
import type { Tag } from "../../entities/tag.ts";
import { StoreError } from "../../errors.ts";
import { pairToJson } from "../../wire/rest-json.ts";
import { experimentFromJson } from "../../wire/rest-json-read.ts";
import { readObject, readText } from "../../wire/rest-json-values.ts";
import type { CreateExperimentRequest } from "../tracking-store.ts";
import type { RestApi } from "./rest-api.ts";

export async function createExperiment(api: RestApi, request: CreateExperimentRequest): Promise<string> {
  const answer = await api.post("experiments/create", {
    name: request.name,
    artifact_location: request.artifactLocation,
    tags: request.tags?.map(pairToJson),
  });
  return readText(answer, "experiment_id");
}

export async function getExperiment(api: RestApi, experimentId: string): Promise<Experiment> {
  return experimentFromJson(
    readObject(await api.get("experiments/get", { experiment_id: experimentId }), "experiment"),
  );
}

export async function getExperimentByName(api: RestApi, name: string): Promise<Experiment | undefined> {
  try {
    const answer = await api.get("experiments/get-by-name", { experiment_name: name });
    return experimentFromJson(readObject(answer, "experiment"));
  } catch (error) {
    if (error instanceof StoreError && error.errorCode === "RESOURCE_DOES_NOT_EXIST") return undefined;
    throw error;
  }
}

export async function renameExperiment(api: RestApi, experimentId: string, name: string): Promise<void> {
  await api.post("experiments/update", { experiment_id: experimentId, new_name: name });
}

export async function changeLifecycle(api: RestApi, change: "delete" | "restore", experimentId: string): Promise<void> {
  await api.post(`experiments/${change}`, { experiment_id: experimentId });
}

export async function setExperimentTag(api: RestApi, experimentId: string, tag: Tag): Promise<void> {
  await api.post("experiments/set-experiment-tag", { experiment_id: experimentId, ...pairToJson(tag) });
}

export async function deleteExperimentTag(api: RestApi, experimentId: string, key: string): Promise<void> {
  await api.post("experiments/delete-experiment-tag", { experiment_id: experimentId, key });
}
