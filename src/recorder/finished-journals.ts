import { statSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { claimJournal } from "../journal/claim.ts";
import { readRefused } from "../journal/refused-log.ts";
import { hasCode } from "../util/error-code.ts";
import { journalFiles } from "../wire/journal-header.ts";
import { type FoundJournal, listJournals } from "./dead-journals.ts";

export interface FinishedJournal extends FoundJournal {
  /** ms since the epoch. */
  readonly finishedTime: number;
  /** What the store refused for good, the reason why the folder is still there. */
  readonly refusedEntries: number;
}

/** Journals in which nothing is left to be done. */
export function findFinishedJournals(roots: readonly string[]): readonly FinishedJournal[] {
  return listJournals(roots).flatMap((journal) => {
    const finishedTime = timeOf(join(journal.folder, journalFiles.finished));
    if (finishedTime === undefined) return [];
    return [{ ...journal, finishedTime, refusedEntries: readRefused(journal.folder).length }];
  });
}

/** Removes a journal's folder; false where a process is still at it, which then takes it away itself. */
export async function removeJournal(folder: string): Promise<boolean> {
  const claim = await claimJournal(folder);
  if (claim === undefined) return false;
  try {
    await rm(folder, { recursive: true, force: true });
    return true;
  } finally {
    await claim.release();
  }
}

function timeOf(path: string): number | undefined {
  try {
    return statSync(path).mtimeMs;
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR", "EACCES")) return undefined;
    throw error;
  }
}
