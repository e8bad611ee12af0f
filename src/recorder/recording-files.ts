import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { journalFiles, type JournalHeader } from "../wire/journal-header.ts";

/** What an outer run took over is said once more, now that the server itself is asked, which knows its runs by other ids. */
export function forgetOuter(folder: string): void {
  const path = join(folder, journalFiles.outerRunIds);
  if (!existsSync(path)) return;
  rmSync(join(folder, journalFiles.cursor), { force: true });
  rmSync(path, { force: true });
}

/** `undefined` where it cannot be read. */
export function readHeader(folder: string): JournalHeader | undefined {
  try {
    return JSON.parse(readFileSync(join(folder, journalFiles.header), "utf8")) as JournalHeader;
  } catch {
    // Without its header a journal cannot be told by anyone; `track doctor` names such folders.
    return undefined;
  }
}

/** For a journal in which nothing is left to be done. What was refused stays to be looked at. */
export async function retireJournal(folder: string, refusedEntries: number): Promise<void> {
  if (refusedEntries === 0) await rm(folder, { recursive: true, force: true });
  else writeFileSync(join(folder, journalFiles.finished), "", { mode: 0o600 });
}
