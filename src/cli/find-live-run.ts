import { join } from "node:path";
import { journalRoots } from "../client/journal-folder.ts";
import { findLiveJournal, type FoundJournal } from "../recorder/dead-journals.ts";
import { readPlace } from "../util/proc.ts";
import { journalFiles } from "../wire/journal-header.ts";
import type { Context } from "./context.ts";
import { findRun } from "./find-run.ts";
import { journalPlaces } from "./launch/journal-places.ts";
import { openExisting } from "./open-for-reading.ts";

/** Where to speak to the recorder of a run that lives on this host; `undefined` for any other run. Unknown run: `TrackError`. */
export async function findLiveRun(
  context: Context,
  name: string,
  trackingUri?: string,
): Promise<{ readonly socketPath: string | undefined; readonly appendFile: string } | undefined> {
  await using store = await openExisting(context, "read", trackingUri);
  const { info } = await findRun(store, name);
  const journal = findLiveJournalOf(context, info.runId, trackingUri);
  if (journal === undefined) return undefined;
  return { socketPath: journal.header.socketPath, appendFile: join(journal.folder, journalFiles.appendFile) };
}

export interface LiveJournal extends FoundJournal {
  /** The console log while it grows; the recorder renames it when it is complete. */
  readonly consolePart: string;
}

/** The journal of a run whose wrapper or command lives on this host; `undefined` for any other run. */
export function findLiveJournalOf(context: Context, runId: string, trackingUri?: string): LiveJournal | undefined {
  const roots = journalRoots(journalPlaces(context.trackingUri(trackingUri), context.env));
  const journal = findLiveJournal(roots, readPlace(), runId);
  return journal && { ...journal, consolePart: join(journal.folder, journalFiles.consolePart) };
}
