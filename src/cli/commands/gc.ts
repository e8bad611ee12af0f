import { rmdir } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { journalRoots } from "../../client/journal-folder.ts";
import { StoreError } from "../../errors.ts";
import { type FinishedJournal, findFinishedJournals, removeJournal } from "../../recorder/finished-journals.ts";
import { type DeletedRun, hasRunRemoval, type RunRemoval } from "../../store/run-removal.ts";
import type { TrackingStore } from "../../store/tracking-store.ts";
import { hasCode, messageOf } from "../../util/error-code.ts";
import { confirm } from "../confirm.ts";
import type { Context } from "../context.ts";
import { journalPlaces } from "../launch/journal-places.ts";
import { openForListing } from "../open-for-reading.ts";
import { isAliveHere } from "../run-liveness.ts";
import { writeJson } from "../write-json.ts";

export interface GcOptions {
  /** Only what was deleted, or finished, so long ago. */
  readonly olderThanMs?: number;
  readonly yes?: boolean;
  readonly json?: boolean;
  readonly trackingUri?: string;
}

interface Removed {
  readonly runs: string[];
  readonly journals: string[];
}

/** Removes deleted runs with their rows and artifacts, and finished journals, for good; asks first. 1 where something stayed. */
export async function gc(context: Context, options: GcOptions): Promise<number> {
  const before = context.now() - (options.olderThanMs ?? 0);
  const removed: Removed = { runs: [], journals: [] };
  const runs = await findRuns(context, options, before);
  const journals = findJournals(context, options, before);
  if (runs.length + journals.length === 0) context.io.say("there is nothing to remove");
  else if (options.yes !== true && !(await confirm(context, questionOf(runs, journals)))) {
    context.io.say("nothing was removed");
    return 1;
  } else {
    await removeRuns(context, options, runs, removed);
    for (const { folder } of journals) if (await removeJournal(folder)) removed.journals.push(folder);
    context.io.say(`removed: ${countOf(removed.runs, "run")}, ${countOf(removed.journals, "journal")}`);
  }
  if (options.json === true) writeJson(context.io, { removed });
  return removed.runs.length === runs.length ? 0 : 1;
}

async function findRuns(context: Context, options: GcOptions, before: number): Promise<readonly DeletedRun[]> {
  await using store = await openForListing(context, options.trackingUri);
  if (store === undefined) return [];
  if (!hasRunRemoval(store)) {
    context.io.say("deleted runs of a tracking server are removed there: mlflow gc");
    return [];
  }
  const deleted = (await store.listDeletedRuns()).filter(({ deletedTime }) => isOld(deletedTime, before, options));
  const isAlive = async ({ runId }: DeletedRun): Promise<boolean> =>
    isAliveHere(context, await store.getRun(runId), options.trackingUri);
  const alive = await Promise.all(deleted.map(isAlive));
  return deleted.filter((_, index) => alive[index] !== true);
}

function findJournals(context: Context, options: GcOptions, before: number): readonly FinishedJournal[] {
  const roots = journalRoots(journalPlaces(context.trackingUri(options.trackingUri), context.env));
  return findFinishedJournals(roots).filter(({ finishedTime }) => isOld(finishedTime, before, options));
}

/** Without a limit everything counts, whatever the clocks say. */
const isOld = (time: number | undefined, before: number, { olderThanMs }: GcOptions): boolean =>
  olderThanMs === undefined || (time !== undefined && time <= before);

function questionOf(runs: readonly DeletedRun[], journals: readonly FinishedJournal[]): string {
  const refused = journals.reduce((sum, journal) => sum + journal.refusedEntries, 0);
  const lost =
    refused === 0 ? "" : ` (with what the store refused: ${refused === 1 ? "1 entry" : `${refused} entries`})`;
  const parts = [
    ...(runs.length === 0 ? [] : [`${countOf(runs, "deleted run")} with all artifacts`]),
    ...(journals.length === 0 ? [] : [`${countOf(journals, "finished journal")}${lost}`]),
  ];
  return `remove ${parts.join(" and ")} for good?`;
}

const countOf = (items: readonly unknown[], what: string): string =>
  `${items.length} ${what}${items.length === 1 ? "" : "s"}`;

async function removeRuns(
  context: Context,
  options: GcOptions,
  runs: readonly DeletedRun[],
  removed: Removed,
): Promise<void> {
  if (runs.length === 0) return;
  await using store = (await context.openStore("write", options.trackingUri)) as TrackingStore & RunRemoval;
  for (const run of runs) {
    try {
      await removeArtifacts(context, options, run);
      await store.removeRun(run.runId);
      removed.runs.push(run.runId);
    } catch (error) {
      // One bucket that is away must not keep the others; the run stays whole in the store, for the next time.
      if (!(error instanceof StoreError)) throw error;
      context.io.say(`not removed: ${run.runId} (${run.runName}): ${messageOf(error)}`);
    }
  }
}

async function removeArtifacts(
  context: Context,
  options: GcOptions,
  { runId, artifactUri }: DeletedRun,
): Promise<void> {
  if (artifactUri === "") return;
  const repository = await context.openArtifacts(artifactUri, options.trackingUri);
  await repository.deleteArtifacts();
  const folder = repository.localPath?.("");
  if (folder === undefined || basename(dirname(folder)) !== runId) return;
  try {
    await rmdir(dirname(folder));
  } catch (error) {
    // The run's own folder holds nothing else, unless somebody has put something there.
    if (!hasCode(error, "ENOENT", "ENOTEMPTY", "EEXIST")) throw error;
  }
}
