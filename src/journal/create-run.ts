import type { CreateRunOperation, ExperimentReference } from "../entities/journal-entry.ts";
import type { Run } from "../entities/run.ts";
import { trackTags } from "../entities/tag-keys.ts";
import { StoreError } from "../errors.ts";
import type { TrackingStore } from "../store/tracking-store.ts";
import type { RunIdMap } from "./apply-operation.ts";
import { hasCodeOf } from "./replay.ts";
import { withStoreParent } from "./store-ids.ts";

/** Makes the run unless it is there already, known by its `track.create_id`; so does its experiment, if that is given by name. */
export async function createRun(store: TrackingStore, operation: CreateRunOperation, runIds?: RunIdMap): Promise<void> {
  if (runIds === undefined ? await isThere(store, operation) : runIds.isCreated(operation.runId)) return;
  const { op: _op, createId, experiment, ...request } = operation;
  const experimentId = await experimentIdOf(store, experiment, runIds);
  const found =
    runIds?.mayExist(operation.runId) === true ? await findByCreateId(store, experimentId, createId) : undefined;
  const tags = request.tags.filter(({ key }) => key !== trackTags.createId).map((tag) => withStoreParent(tag, runIds));
  const run =
    found ??
    (await store.createRun({
      ...request,
      experimentId,
      tags: [...tags, { key: trackTags.createId, value: createId }],
    }));
  runIds?.created(operation.runId, run.info.runId);
}

/** Where the store takes our ids. */
async function isThere(store: TrackingStore, { runId, createId }: CreateRunOperation): Promise<boolean> {
  try {
    const { data } = await store.getRun(runId);
    if (data.tags.some(({ key, value }) => key === trackTags.createId && value === createId)) return true;
  } catch (error) {
    if (hasCodeOf(error, "RESOURCE_DOES_NOT_EXIST")) return false;
    throw error;
  }
  throw new StoreError("RESOURCE_ALREADY_EXISTS", `run ${runId} exists and is another one`);
}

async function findByCreateId(store: TrackingStore, experimentId: string, createId: string): Promise<Run | undefined> {
  const page = await store.searchRuns({
    experimentIds: [experimentId],
    filter: `tags.\`${trackTags.createId}\` = '${createId}'`,
    viewType: "ALL",
    orderBy: ["attributes.run_id ASC"],
    maxResults: 1,
  });
  return page.items[0];
}

async function experimentIdOf(
  store: TrackingStore,
  experiment: ExperimentReference,
  ids: RunIdMap | undefined,
): Promise<string> {
  if ("experimentId" in experiment) return ids?.toStore(experiment.experimentId) ?? experiment.experimentId;
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
