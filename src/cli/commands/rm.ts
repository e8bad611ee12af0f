import type { Run } from "../../entities/run.ts";
import { TrackError } from "../../errors.ts";
import { journalRoots } from "../../client/journal-folder.ts";
import { findLiveJournal } from "../../recorder/dead-journals.ts";
import { readPlace } from "../../util/proc.ts";
import { runLiveness } from "../../wire/run-processes.ts";
import type { Context } from "../context.ts";
import { findRun } from "../find-run.ts";
import { journalPlaces } from "../launch/journal-places.ts";
import { openExisting } from "../open-for-reading.ts";

export interface ChangeRunsOptions {
  readonly force?: boolean;
  readonly trackingUri?: string;
}

/** Deletes runs softly. Finds and checks all of them first: one that is unknown or alive leaves all as they are. */
export async function rm(context: Context, options: ChangeRunsOptions, names: readonly string[]): Promise<void> {
  await using store = await openExisting(context, "write", options.trackingUri);
  const runs = await findRuns(names, (name) => findRun(store, name));
  const roots = journalRoots(journalPlaces(context.trackingUri(options.trackingUri), context.env));
  if (options.force !== true) for (const run of runs) refuseLive(run, roots);
  for (const run of runs) {
    if (run.info.lifecycleStage === "deleted") {
      context.io.say(`already deleted: ${run.info.runId}`);
      continue;
    }
    await store.deleteRun(run.info.runId);
    context.io.say(`deleted: ${run.info.runId} (${run.info.runName})`);
  }
}

/** The runs in the order of their names, each once. */
export async function findRuns(
  names: readonly string[],
  find: (name: string) => Promise<Run>,
): Promise<readonly Run[]> {
  const runs = new Map<string, Run>();
  for (const name of names) {
    const run = await find(name);
    runs.set(run.info.runId, run);
  }
  return [...runs.values()];
}

/** In its first second a run has no tag yet that tells its processes: its journal does. */
function refuseLive(run: Run, roots: readonly string[]): void {
  if (run.info.status !== "RUNNING") return;
  const here = readPlace();
  if (runLiveness(run, here) !== "alive" && findLiveJournal(roots, here, run.info.runId) === undefined) return;
  throw new TrackError(`the run is alive: ${run.info.runId} (${run.info.runName})`, {
    hint: "wait for its end, or give --force",
  });
}
