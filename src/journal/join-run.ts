import type { JoinRunOperation } from "../entities/journal-entry.ts";
import { StoreError } from "../errors.ts";
import { findEarlierGroupRun, findGroupRun } from "../store/find-group-run.ts";
import type { TrackingStore } from "../store/tracking-store.ts";
import type { RunIdMap } from "./apply-operation.ts";

/** The first rank has not made the run yet, or never will. */
export class RunNotThereError extends StoreError {
  constructor() {
    super("TEMPORARILY_UNAVAILABLE", "rank 0 has not made the run yet");
  }
}

/**
 * Maps a rank's id for the run to the run that rank 0 has made. Rejects with `RunNotThereError`, which is waited for, while it is
 * not there. `isLate`: it is looked for among the earlier attempts of runs as well.
 */
export async function joinRun(
  store: TrackingStore,
  operation: JoinRunOperation,
  { runIds, isLate }: { readonly runIds?: RunIdMap | undefined; readonly isLate: boolean },
): Promise<void> {
  const { runId, group } = operation;
  if (runIds === undefined || runIds.isCreated(runId)) return;
  const found =
    (await findGroupRun(store, { ...operation, now: Date.now() })) ??
    (isLate ? await findEarlierGroupRun(store, group) : undefined);
  if (found === undefined) throw new RunNotThereError();
  runIds.created(runId, found.info.runId);
}
