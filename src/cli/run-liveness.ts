import { journalRoots } from "../client/journal-folder.ts";
import type { Run } from "../entities/run.ts";
import { TrackError } from "../errors.ts";
import { findRecordingJournal } from "../recorder/dead-journals.ts";
import { readPlace } from "../util/proc.ts";
import { runLiveness } from "../wire/run-processes.ts";
import type { Context } from "./context.ts";
import { journalPlaces } from "./launch/journal-places.ts";

/**
 * Whether a run's wrapper or command lives on this host. In its first second a run has no tag yet that tells its
 * processes: its journal does.
 */
export function isAliveHere(context: Context, run: Run, trackingUri?: string): boolean {
  const here = readPlace();
  if (runLiveness(run, here) === "alive") return true;
  const roots = journalRoots(journalPlaces(context.trackingUri(trackingUri), context.env));
  return findRecordingJournal(roots, here, run.info.runId) !== undefined;
}

/** Of a run that is deleted while it lives all that it still says is refused. Throws for the first that lives here. */
export function refuseLiveRuns(context: Context, runs: readonly Run[], trackingUri?: string): void {
  for (const run of runs) {
    if (run.info.status !== "RUNNING" || !isAliveHere(context, run, trackingUri)) continue;
    throw new TrackError(`the run is alive: ${run.info.runId} (${run.info.runName})`, {
      hint: "wait for its end, or give --force",
    });
  }
}
