import type { Context } from "../context.ts";
import { findRun, findRuns } from "../find-run.ts";
import { openExisting } from "../open-for-reading.ts";
import { refuseLiveRuns } from "../run-liveness.ts";

export interface ChangeRunsOptions {
  readonly force?: boolean;
  readonly trackingUri?: string;
}

/** Deletes runs softly. Finds and checks all of them first: one that is unknown or alive leaves all as they are. */
export async function rm(context: Context, options: ChangeRunsOptions, names: readonly string[]): Promise<void> {
  await using store = await openExisting(context, "write", options.trackingUri);
  const runs = await findRuns(names, (name) => findRun(store, name));
  if (options.force !== true) refuseLiveRuns(context, runs, options.trackingUri);
  for (const run of runs) {
    if (run.info.lifecycleStage === "deleted") {
      context.io.say(`already deleted: ${run.info.runId}`);
      continue;
    }
    await store.deleteRun(run.info.runId);
    context.io.say(`deleted: ${run.info.runId} (${run.info.runName})`);
  }
}
