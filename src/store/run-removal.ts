import type { TrackingStore } from "./tracking-store.ts";

export interface DeletedRun {
  readonly runId: string;
  readonly runName: string;
  readonly artifactUri: string;
  /** ms since the epoch; absent where whoever deleted it did not say. */
  readonly deletedTime?: number;
}

/** A store that can forget deleted runs for good, which MLflow's REST API cannot. Optional: asked for by `hasRunRemoval`. */
export interface RunRemoval {
  /** Runs of the lifecycle stage `deleted`, those of deleted experiments as well, the oldest deletion first. */
  listDeletedRuns(): Promise<readonly DeletedRun[]>;
  /** Removes all rows of a deleted run, as `mlflow gc` does, and of its inputs and outputs; an active run: `INVALID_STATE`. Artifacts are not its business. */
  removeRun(runId: string): Promise<void>;
}

export function hasRunRemoval(store: TrackingStore): store is TrackingStore & RunRemoval {
  return "removeRun" in store;
}
