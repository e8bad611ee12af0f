import type { Run } from "../entities/run.ts";
import { trackTags } from "../entities/tag-keys.ts";
import { readRunIds } from "../journal/run-ids.ts";
import type { RunStore, TrackingStore } from "../store/tracking-store.ts";
import type { JournalHeader, Place } from "../wire/journal-header.ts";
import { isGone, readHeartbeat, tagOf } from "../wire/run-processes.ts";
import { listJournals } from "./dead-journals.ts";
import { RecordingStore } from "./recording-store.ts";

/**
 * Runs that nothing will end any more: RUNNING, all their processes on this host gone, and no journal of theirs in `roots`, which
 * would know more.
 */
export function findLostRuns(runs: readonly Run[], here: Place, roots: readonly string[]): readonly Run[] {
  const gone = runs.filter((run) => run.info.status === "RUNNING" && isGone(run, here));
  if (gone.length === 0) return [];
  const journaled = new Set(
    listJournals(roots).flatMap(({ folder, header }) => [header.runId, ...Object.values(readRunIds(folder))]),
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

/** The same for all that an experiment has, or the one that a run is in. Rejects as the store does. */
export async function endLostRunsBeside(
  header: JournalHeader,
  env: Readonly<Record<string, string | undefined>>,
  where: { readonly here: Place; readonly roots: readonly string[] },
): Promise<void> {
  await using store = await new RecordingStore(header, env).openForDrain();
  const experimentId = await experimentIdOf(store, header);
  if (experimentId === undefined) return;
  const filter = "attributes.status = 'RUNNING'";
  const { items } = await store.searchRuns({ experimentIds: [experimentId], filter, maxResults: 1000 });
  for (const run of findLostRuns(items, where.here, where.roots)) await endLostRun(store, run, where.here);
}

async function experimentIdOf(store: TrackingStore, { experiment }: JournalHeader): Promise<string | undefined> {
  if ("experimentId" in experiment) return experiment.experimentId;
  return (await store.getExperimentByName(experiment.experimentName))?.experimentId;
}
