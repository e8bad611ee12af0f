import { join } from "node:path";
import { journalRoots } from "../client/journal-folder.ts";
import { findLiveJournal, findRecordingJournal, type FoundJournal } from "../recorder/dead-journals.ts";
import { readPlace } from "../util/proc.ts";
import { journalFiles } from "../wire/journal-header.ts";
import type { Context } from "./context.ts";
import { findRun } from "./find-run.ts";
import { journalPlaces } from "./launch/journal-places.ts";
import { openExisting } from "./open-for-reading.ts";

/** Where to speak to the recorder of a run. */
export interface LiveRunPlace {
  readonly socketPath: string | undefined;
  readonly appendFile: string;
  /** Lines must say that they mean this run: the recorder's own is another one. */
  readonly runId?: string;
}

/** The place of a run that is recorded on this host; `undefined` for any other run. Unknown run: `TrackError`. */
export async function findLiveRun(
  context: Context,
  name: string,
  trackingUri?: string,
): Promise<LiveRunPlace | undefined> {
  await using store = await openExisting(context, "read", trackingUri);
  const { info } = await findRun(store, name);
  const { runId } = info;
  const own = findLiveJournalOf(context, runId, trackingUri);
  const journal = own ?? findRecordingJournal(rootsOf(context, trackingUri), readPlace(), runId);
  if (journal === undefined) return undefined;
  const { folder, header } = journal;
  const appendFile = join(folder, journalFiles.appendFile);
  return { socketPath: header.socketPath, appendFile, ...(own === undefined && { runId }) };
}

export interface LiveJournal extends FoundJournal {
  /** The console log while it grows; the recorder renames it when it is complete. */
  readonly consolePart: string;
}

/** The journal of a run whose wrapper or command lives on this host; `undefined` for any other run. */
export function findLiveJournalOf(context: Context, runId: string, trackingUri?: string): LiveJournal | undefined {
  const journal = findLiveJournal(rootsOf(context, trackingUri), readPlace(), runId);
  return journal && { ...journal, consolePart: join(journal.folder, journalFiles.consolePart) };
}

const rootsOf = (context: Context, trackingUri: string | undefined): readonly string[] =>
  journalRoots(journalPlaces(context.trackingUri(trackingUri), context.env));
