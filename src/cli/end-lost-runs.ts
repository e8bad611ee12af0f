import { journalRoots } from "../client/journal-folder.ts";
import type { Run } from "../entities/run.ts";
import { StoreError } from "../errors.ts";
import { endLostRun, findLostRuns, findRunningHere } from "../recorder/lost-runs.ts";
import type { TrackingStore } from "../store/tracking-store.ts";
import { monotonicMs } from "../util/monotonic.ts";
import { readPlace } from "../util/proc.ts";
import type { Context } from "./context.ts";
import { journalPlaces } from "./launch/journal-places.ts";

/** What a command that only wants to look may spend on it; the rest is left to the next one. */
const budgetMs = 1500;

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
  const deadline = monotonicMs() + budgetMs;
  try {
    await using store = await context.openStore("write", trackingUri);
    for (const run of lost) {
      if (monotonicMs() > deadline) break;
      ended.set(run.info.runId, await endLostRun(store, run, here));
    }
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
  }
  return runs.map((run) => ended.get(run.info.runId) ?? run);
}

/** The same of all runs in a store that is about to be looked at; resolves once they are ended. Rejects as the store does. */
export async function endAllLostRuns(
  context: Context,
  store: TrackingStore,
  trackingUri: string | undefined,
): Promise<void> {
  await endLostRuns(context, await findRunningHere(store, readPlace()), trackingUri);
}
