import type { Context } from "../context.ts";
import { findRun, findRuns } from "../find-run.ts";
import { openExisting } from "../open-for-reading.ts";
import type { ChangeRunsOptions } from "./rm.ts";

/** Brings softly deleted runs back. Finds all of them first: an unknown one leaves all as they are. */
export async function restore(context: Context, options: ChangeRunsOptions, names: readonly string[]): Promise<void> {
  await using store = await openExisting(context, "write", options.trackingUri);
  for (const run of await findRuns(names, (name) => findRun(store, name))) {
    if (run.info.lifecycleStage === "active") {
      context.io.say(`not deleted: ${run.info.runId} (${run.info.runName})`);
      continue;
    }
    await store.restoreRun(run.info.runId);
    context.io.say(`restored: ${run.info.runId} (${run.info.runName})`);
  }
}
