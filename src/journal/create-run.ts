import type { CreateRunOperation, ExperimentReference } from "../entities/journal-entry.ts";
import { trackTags } from "../entities/tag-keys.ts";
import { StoreError } from "../errors.ts";
import type { TrackingStore } from "../store/tracking-store.ts";
import type { RunIdMap } from "./apply-operation.ts";
import { hasCodeOf } from "./replay.ts";

/** Makes the run unless it is there already, known by its `track.create_id`; so does its experiment, if that is given by name. */
export async function createRun(store: TrackingStore, operation: CreateRunOperation, runIds?: RunIdMap): Promise<void> {
  const { op: _op, createId, experiment, ...request } = operation;
  const isOurs = async (): Promise<boolean> => {
    const { data } = await store.getRun(operation.runId);
    return data.tags.some(({ key, value }) => key === trackTags.createId && value === createId);
  };
  try {
    if (await isOurs()) return;
    throw new StoreError("RESOURCE_ALREADY_EXISTS", `run ${operation.runId} exists and is another one`);
  } catch (error) {
    if (!hasCodeOf(error, "RESOURCE_DOES_NOT_EXIST")) throw error;
  }
  const tags = request.tags.filter(({ key }) => key !== trackTags.createId);
  const experimentId = await experimentIdOf(store, experiment);
  const run = await store.createRun({
    ...request,
    experimentId,
    tags: [...tags, { key: trackTags.createId, value: createId }],
  });
  runIds?.created(operation.runId, run.info.runId);
}

async function experimentIdOf(store: TrackingStore, experiment: ExperimentReference): Promise<string> {
  if ("experimentId" in experiment) return experiment.experimentId;
  const name = experiment.experimentName;
  const found = await activeExperimentId(store, name);
  if (found !== undefined) return found;
  try {
    return await store.createExperiment({ name });
  } catch (error) {
    // Another process may have created it in between.
    const created = hasCodeOf(error, "RESOURCE_ALREADY_EXISTS") ? await activeExperimentId(store, name) : undefined;
    if (created === undefined) throw error;
    return created;
  }
}

async function activeExperimentId(store: TrackingStore, name: string): Promise<string | undefined> {
  const experiment = await store.getExperimentByName(name);
  if (experiment?.lifecycleStage === "deleted") {
    throw new StoreError("INVALID_STATE", `experiment ${JSON.stringify(name)} is deleted`);
  }
  return experiment?.experimentId;
}
