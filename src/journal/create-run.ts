import type { CreateRunOperation, ExperimentReference } from "../entities/journal-entry.ts";
import type { Run } from "../entities/run.ts";
import { mlflowTags, trackTags } from "../entities/tag-keys.ts";
import type { Tag } from "../entities/tag.ts";
import { StoreError } from "../errors.ts";
import { findMovedRun } from "../store/find-moved-run.ts";
import type { TrackingStore } from "../store/tracking-store.ts";
import type { RunIdMap } from "./apply-operation.ts";
import { hasCodeOf } from "./replay.ts";
import { withStoreParent } from "./store-ids.ts";

/**
 * Makes the run unless it is there already, known by its `track.create_id`; so does its experiment, if that is given by name.
 * `isLate`: its parent may be the run of another journal, and have been given another id since.
 */
export async function createRun(
  store: TrackingStore,
  operation: CreateRunOperation,
  { runIds, isLate = false }: CreateRunContext = {},
): Promise<void> {
  if (runIds === undefined ? await isThere(store, operation) : runIds.isCreated(operation.runId)) return;
  const { op: _op, createId, experiment, ...request } = operation;
  const experimentId = await experimentIdOf(store, experiment, runIds);
  const earlierId = runIds?.earlierId?.(operation.runId);
  const found =
    runIds?.mayExist(operation.runId) === true ? await findByCreateId(store, experimentId, createId) : undefined;
  const run =
    found ??
    (await store.createRun({
      ...request,
      ...(earlierId !== undefined && { runId: earlierId }),
      experimentId,
      tags: [...(await tagsFor(store, request.tags, { runIds, isLate })), { key: trackTags.createId, value: createId }],
    }));
  await keepEarlierId(store, run, earlierId);
  runIds?.created(operation.runId, run.info.runId);
}

interface CreateRunContext {
  readonly runIds?: RunIdMap | undefined;
  readonly isLate?: boolean;
}

/** All but the create id; a parent goes by the id that the store has given it. */
async function tagsFor(
  store: TrackingStore,
  tags: readonly Tag[],
  { runIds, isLate }: CreateRunContext,
): Promise<readonly Tag[]> {
  const mapped: Tag[] = [];
  for (const tag of tags) {
    if (tag.key === trackTags.createId) continue;
    const { value } = withStoreParent(tag, runIds);
    const isUnknown = isLate && runIds !== undefined && tag.key === mlflowTags.parentRunId && value === tag.value;
    const moved = isUnknown ? await findMovedRun(store, value) : undefined;
    mapped.push({ key: tag.key, value: moved?.info.runId ?? value });
  }
  return mapped;
}

/** Whoever knows the run by the id that it had elsewhere must find it, and a copy of the other store must not bring it once more. */
async function keepEarlierId(store: TrackingStore, { info }: Run, earlierId: string | undefined): Promise<void> {
  if (earlierId === undefined || info.runId === earlierId) return;
  await store.logBatch(info.runId, { tags: [{ key: trackTags.importedRunId, value: earlierId }] });
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
