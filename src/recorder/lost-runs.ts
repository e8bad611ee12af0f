import type { Run } from "../entities/run.ts";
import { trackTags } from "../entities/tag-keys.ts";
import { readRunIds } from "../journal/run-ids.ts";
import { activeExperimentIds } from "../store/find-tagged-runs.ts";
import { hasRunFields } from "../store/run-fields.ts";
import type { RunStore, TrackingStore } from "../store/tracking-store.ts";
import type { JournalHeader, Place } from "../wire/journal-header.ts";
import { isGone, readHeartbeat, tagOf } from "../wire/run-processes.ts";
import { listJournals } from "./dead-journals.ts";
import { readOpenRuns } from "./open-runs-file.ts";
import { RecordingStore } from "./recording-store.ts";

/**
 * Runs that nothing will end any more: RUNNING, all their processes on this host gone, and no journal of theirs in `roots`, which
 * would know more.
 */
export function findLostRuns(runs: readonly Run[], here: Place, roots: readonly string[]): readonly Run[] {
  const gone = runs.filter((run) => run.info.status === "RUNNING" && isGone(run, here));
  if (gone.length === 0) return [];
  const journaled = new Set(
    listJournals(roots).flatMap(({ folder, header }) => [
      header.runId,
      ...Object.values(readRunIds(folder)),
      ...readOpenRuns(folder),
    ]),
  );
  return gone.filter(({ info }) => !journaled.has(info.runId));
}

/** Ends such a run KILLED, `lost`, at its last heartbeat; resolves to it as it is then. One that has come to life again is left alone. */
export async function endLostRun(store: RunStore, { info }: Run, here: Place): Promise<Run> {
  const run = await store.getRun(info.runId);
  if (run.info.status !== "RUNNING" || !isGone(run, here)) return run;
  const endTime = readHeartbeat(run) ?? (Number(tagOf(run, trackTags.attemptStartTime)) || run.info.startTime);
  await store.logBatch(info.runId, { tags: [{ key: trackTags.endReason, value: "lost" }] });
  for (const key of [trackTags.process, trackTags.heartbeat]) {
    if (tagOf(run, key) !== undefined) await store.deleteTag(info.runId, key);
  }
  await store.updateRun(info.runId, { status: "KILLED", endTime });
  return await store.getRun(info.runId);
}

/** Active runs of a whole store that are RUNNING and say that their processes are on this host, the newest 1,000. Rejects as the store does. */
export async function findRunningHere(store: TrackingStore, here: Place): Promise<readonly Run[]> {
  const experimentIds = await activeExperimentIds(store);
  if (experimentIds.length === 0) return [];
  // A name that cannot stand in a pattern is looked for among all of them.
  const host = /^[\w.-]+$/u.test(here.host) ? `"host":"${here.host}"` : "";
  const query = {
    experimentIds,
    filter: `attributes.status = 'RUNNING' AND tags.\`${trackTags.process}\` LIKE '%${host}%'`,
    maxResults: 1000,
  };
  const tags = [trackTags.process, trackTags.heartbeat];
  const page = hasRunFields(store)
    ? await store.searchRunFields(query, { metrics: [], params: [], tags })
    : await store.searchRuns(query);
  return page.items;
}

/** Ends all that is lost in the store that a run is in. Rejects as the store does. */
export async function endLostRunsBeside(
  header: JournalHeader,
  env: Readonly<Record<string, string | undefined>>,
  { here, roots }: { readonly here: Place; readonly roots: readonly string[] },
): Promise<void> {
  await using store = await new RecordingStore(header, env).openForDrain();
  for (const run of findLostRuns(await findRunningHere(store, here), here, roots)) await endLostRun(store, run, here);
}
