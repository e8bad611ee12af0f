import { join } from "node:path";
import { journalRoots } from "../client/journal-folder.ts";
import { findLiveJournal } from "../recorder/dead-journals.ts";
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
  const roots = journalRoots(journalPlaces(context.trackingUri(trackingUri), context.env));
  const journal = findLiveJournal(roots, readPlace(), info.runId);
  if (journal === undefined) return undefined;
  return { socketPath: journal.header.socketPath, appendFile: join(journal.folder, journalFiles.appendFile) };
}
