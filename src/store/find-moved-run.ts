import type { Run } from "../entities/run.ts";
import { trackTags } from "../entities/tag-keys.ts";
import { StoreError } from "../errors.ts";
import { findTaggedRuns } from "./find-tagged-runs.ts";
import type { TrackingStore } from "./tracking-store.ts";

/** The run that has this id, or had it before this store gave it another: in another store, or while a server was away. */
export async function findMovedRun(store: TrackingStore, runId: string): Promise<Run | undefined> {
  try {
    return await store.getRun(runId);
  } catch (error) {
    if (!(error instanceof StoreError && error.errorCode === "RESOURCE_DOES_NOT_EXIST")) throw error;
  }
  // It stands in a filter.
  if (!/^\w+$/u.test(runId)) return undefined;
  for (const key of [trackTags.importedRunId, trackTags.offlineId]) {
    const [found] = await findTaggedRuns(store, { key, value: runId });
    if (found !== undefined) return found;
  }
  return undefined;
}
