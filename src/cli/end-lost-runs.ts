import { journalRoots } from "../client/journal-folder.ts";
import type { Run } from "../entities/run.ts";
import { StoreError } from "../errors.ts";
import { endLostRun, findLostRuns } from "../recorder/lost-runs.ts";
import { readPlace } from "../util/proc.ts";
import type { Context } from "./context.ts";
import { journalPlaces } from "./launch/journal-places.ts";

/**
 * The same runs, those of them ended whose processes on this host are gone without a journal that could tell more. Where the
 * store cannot be written now they are left to a later command, without a word.
 */
export async function endLostRuns(
  context: Context,
  runs: readonly Run[],
  trackingUri: string | undefined,
): Promise<readonly Run[]> {
  const here = readPlace();
  const roots = journalRoots(journalPlaces(context.trackingUri(trackingUri), context.env));
  const lost = findLostRuns(runs, here, roots);
  if (lost.length === 0) return runs;
  const ended = new Map<string, Run>();
  try {
    await using store = await context.openStore("write", trackingUri);
    for (const run of lost) ended.set(run.info.runId, await endLostRun(store, run, here));
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
  }
  return runs.map((run) => ended.get(run.info.runId) ?? run);
}
