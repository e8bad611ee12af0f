import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { journalRoots } from "../../client/journal-folder.ts";
import { TrackError, UsageError } from "../../errors.ts";
import { type FoundJournal, listJournals, readJson } from "../../recorder/dead-journals.ts";
import { forEachJournal } from "../../recorder/repair.ts";
import { entriesLeft, mayBeAlive, syncJournal, type SyncResult } from "../../recorder/sync-journal.ts";
import { withTypedUri } from "../../settings/server-access.ts";
import { SharedStores } from "../../store/shared-stores.ts";
import { messageOf } from "../../util/error-code.ts";
import { readPlace } from "../../util/proc.ts";
import { journalFiles, type JournalHeader } from "../../wire/journal-header.ts";
import type { Context } from "../context.ts";
import { journalPlaces } from "../launch/journal-places.ts";
import { Retargeting } from "../sync/retargeting.ts";

export interface SyncCommandOptions {
  /** Another store than the one that the journals were written for. */
  readonly to?: string;
  /** Only says what would be sent. */
  readonly dryRun?: boolean;
}

/** Sends what journals hold; 0 where all of it is stored, or refused for good and set aside, 1 where something is left. */
export async function sync(context: Context, options: SyncCommandOptions, folders: readonly string[]): Promise<number> {
  const journals = findJournals(context, folders).filter(
    ({ folder }) => !existsSync(join(folder, journalFiles.finished)),
  );
  if (journals.length === 0) context.io.say("there is nothing to send");
  await using stores = new SharedStores();
  await using retargeting = options.to === undefined ? undefined : new Retargeting(context, options.to);
  let isAllSent = true;
  await forEachJournal(journals, async (journal) => {
    const result =
      options.dryRun === true
        ? look(context, journal)
        : await send(context, journal, { ...options, stores, retargeting });
    const { header } = journal;
    const target = options.to === undefined ? header.trackingUri : context.trackingUri(options.to);
    const cells = [header.runId.slice(0, 8), header.runName ?? "", result.state, String(result.entriesLeft), target];
    context.io.out(`${cells.join("\t")}\n`);
    if (result.refusedEntries > 0) {
      context.io.say(
        `${result.refusedEntries} entries were refused and set aside: ${journal.folder}/${journalFiles.refused}`,
      );
    }
    if (result.state === "left" || result.state === "busy") isAllSent = false;
  });
  return isAllSent ? 0 : 1;
}

/** Each folder is a journal, or holds journals. */
function findJournals(context: Context, folders: readonly string[]): readonly FoundJournal[] {
  if (folders.length === 0) return listJournals(journalRoots(journalPlaces(context.trackingUri(), context.env)));
  return folders.flatMap((named) => {
    const folder = resolve(context.cwd, named);
    const header = readJson(join(folder, journalFiles.header)) as JournalHeader | undefined;
    const found = header === undefined ? listJournals([folder]) : [{ folder, header }];
    if (found.length > 0 || existsSync(folder)) return found;
    throw new UsageError(`no journal is there: ${named}`, { hint: "track doctor shows where journals are" });
  });
}

function look(context: Context, journal: FoundJournal): SyncResult {
  const isLive = mayBeAlive(journal, { here: readPlace(), now: context.now });
  return { state: isLive ? "live" : "left", entriesLeft: entriesLeft(journal.folder), refusedEntries: 0 };
}

interface Sending extends SyncCommandOptions {
  readonly stores: SharedStores;
  readonly retargeting: Retargeting | undefined;
}

async function send(context: Context, found: FoundJournal, { to, stores, retargeting }: Sending): Promise<SyncResult> {
  const here = readPlace();
  const env = withTypedUri(context.env, to);
  try {
    const journal =
      retargeting === undefined || mayBeAlive(found, { here, now: context.now })
        ? found
        : await retargeting.move(found);
    return await syncJournal(journal, {
      env,
      here,
      stores,
      now: context.now,
      onNotice: (text) => context.io.say(text),
      onProgress: (left) => {
        if (context.io.isErrTerminal) context.io.say(`run ${found.header.runId.slice(0, 8)}: ${left} entries left`);
      },
    });
  } catch (error) {
    if (!(error instanceof TrackError)) throw error;
    context.io.say(`run ${found.header.runId.slice(0, 8)} is left where it is: ${messageOf(error)}`);
    return { state: "left", entriesLeft: entriesLeft(found.folder), refusedEntries: 0 };
  }
}
