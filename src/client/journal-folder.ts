import { appendFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { hasCode, messageOf } from "../util/error-code.ts";
import { makeFolders } from "../util/make-folders.ts";
import { randomHex } from "../util/ids.ts";
import { writePrivate } from "../util/write-private.ts";
import { journalFiles, type JournalHeader } from "../wire/journal-header.ts";

/** Places for journals, best first (records.md). All absolute. */
export interface JournalPlaces {
  readonly stateHome?: string;
  readonly home?: string;
  /** Folder of the SQLite file, where there is one. */
  readonly storeFolder?: string;
  readonly temporary: string;
}

/** The folders that may hold journals, best first; a later command looks for dead runs in all of them. */
export function journalRoots(places: JournalPlaces): readonly string[] {
  const state = places.stateHome ?? (places.home === undefined ? undefined : join(places.home, ".local", "state"));
  return [
    ...(state === undefined ? [] : [join(state, "track", "journals")]),
    ...(places.storeFolder === undefined ? [] : [join(places.storeFolder, ".track", "journals")]),
    join(places.temporary, `track-journals-${process.getuid?.() ?? 0}`),
  ];
}

/**
 * Makes the journal folder of one attempt with its header and an empty append file, so that the run can be told
 * even if no recorder ever comes up. Tries each root in turn; `undefined` with the reasons when none can be written.
 */
export function createJournalFolder(
  roots: readonly string[],
  header: JournalHeader,
): { readonly folder: string } | { readonly folder: undefined; readonly reasons: readonly string[] } {
  const reasons: string[] = [];
  for (const root of roots) {
    try {
      return { folder: createIn(root, header) };
    } catch (error) {
      // Any fault here is one of the surroundings: the command must run, so the next place is tried.
      reasons.push(messageOf(error));
    }
  }
  return { folder: undefined, reasons };
}

function createIn(root: string, header: JournalHeader): string {
  makeFolders(root, 0o700);
  const folder = makeFolder(root, `${header.runId}-${header.attempt}`);
  writePrivate(folder, journalFiles.header, JSON.stringify(header));
  appendFileSync(join(folder, journalFiles.appendFile), "", { mode: 0o600 });
  return folder;
}

function makeFolder(root: string, name: string): string {
  const folder = join(root, name);
  try {
    mkdirSync(folder, { mode: 0o700 });
    return folder;
  } catch (error) {
    if (!hasCode(error, "EEXIST")) throw error;
    const other = join(root, `${name}-${randomHex(4)}`);
    mkdirSync(other, { mode: 0o700 });
    return other;
  }
}
