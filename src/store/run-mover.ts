import type { TrackingStore } from "./tracking-store.ts";

/** A store that can put a run into another experiment. Optional: asked for by `canMoveRuns`. */
export interface RunMover {
  /** Run and experiment must be active. The artifacts stay where they lie. */
  moveRun(runId: string, experimentId: string): Promise<void>;
}

export function canMoveRuns(store: TrackingStore): store is TrackingStore & RunMover {
  return "moveRun" in store;
}
