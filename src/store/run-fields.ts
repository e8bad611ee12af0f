import type { Run } from "../entities/run.ts";
import type { Page, SearchRunsQuery, TrackingStore } from "./tracking-store.ts";

/** Keys of the data that a reader wants of each run. */
export interface RunFields {
  readonly metrics: readonly string[];
  readonly params: readonly string[];
  readonly tags: readonly string[];
}

/** A store that can leave out what is not wanted: 100,000 runs in a second instead of twenty. Optional: asked for by `hasRunFields`. */
export interface RunFieldsSearch {
  /** As `searchRuns`, but the runs hold the data of these keys alone, and neither inputs nor outputs. */
  searchRunFields(query: SearchRunsQuery, fields: RunFields): Promise<Page<Run>>;
}

export function hasRunFields(store: TrackingStore): store is TrackingStore & RunFieldsSearch {
  return "searchRunFields" in store;
}
