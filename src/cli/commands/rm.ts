import type { Run } from "../../entities/run.ts";
import { TrackError } from "../../errors.ts";
import { readPlace } from "../../util/proc.ts";
import { readRunProcesses, runLiveness } from "../../wire/run-processes.ts";
import type { Context } from "../context.ts";
import { findRun } from "../find-run.ts";
import { openExisting } from "../open-for-reading.ts";

export interface ChangeRunsOptions {
  readonly force?: boolean;
  readonly trackingUri?: string;
}

/** Deletes runs softly. Finds and checks all of them first: one that is unknown or alive leaves all as they are. */
export async function rm(context: Context, options: ChangeRunsOptions, names: readonly string[]): Promise<void> {
  await using store = await openExisting(context, "write", options.trackingUri);
  const runs = await findRuns(names, (name) => findRun(store, name));
  if (options.force !== true) runs.forEach(refuseLive);
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

function refuseLive(run: Run): void {
  if (run.info.status !== "RUNNING" || readRunProcesses(run) === undefined) return;
  if (runLiveness(run, readPlace()) !== "alive") return;
  throw new TrackError(`the run is alive: ${run.info.runId} (${run.info.runName})`, {
    hint: "wait for its end, or give --force",
  });
}
