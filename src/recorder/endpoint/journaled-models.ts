import type { LoggedModel } from "../../entities/logged-model.ts";
import { checkLoggedModelName } from "../../entities/validation.ts";
import type { CreateLoggedModelRequest } from "../../store/tracking-store.ts";
import { appendToLocation } from "../../store/sqlite/artifact-location.ts";
import { randomHex } from "../../util/ids.ts";
import { randomRunName } from "../../util/run-names.ts";
import type { EndpointState } from "./endpoint-state.ts";

/** Mints the id, so that the client need not wait for a store. */
export async function createLoggedModel(state: EndpointState, request: CreateLoggedModelRequest): Promise<LoggedModel> {
  const { experimentId, name, modelType, sourceRunId, params = [], tags = [] } = request;
  if (name !== undefined) checkLoggedModelName(name);
  await state.experiments.active(experimentId);
  const modelId = `m-${randomHex(16)}`;
  state.recording.live.write({
    op: "create-logged-model",
    modelId,
    experimentId,
    name: name ?? randomRunName(),
    ...(modelType !== undefined && { modelType }),
    ...(sourceRunId !== undefined && { sourceRunId }),
    params,
    tags,
  });
  await state.recording.written();
  return await withModel(state, modelId);
}

/** A model that was made here from memory, any other from the store; unknown: `RESOURCE_DOES_NOT_EXIST`. */
export async function withModel(state: EndpointState, modelId: string): Promise<LoggedModel> {
  const { models, access, recording } = state;
  const known = models.get(modelId);
  if (known === undefined) return await access.read((store) => store.getLoggedModel(recording.ids.toStore(modelId)));
  if (known.artifactLocation !== "") return known;
  const location = recording.isServer ? await state.placeOf(modelId) : await placeInStore(state, known);
  return models.withLocation(modelId, location) ?? known;
}

async function placeInStore(state: EndpointState, { experimentId, modelId }: LoggedModel): Promise<string> {
  const { artifactLocation } = await state.experiments.active(experimentId);
  return appendToLocation(artifactLocation, "models", modelId, "artifacts");
}
