import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { readOrUndefined } from "../util/proc.ts";
import { journalFiles } from "../wire/journal-header.ts";

/** Notes for other commands that a run is recorded by this journal's recorder from here on, or is no longer. */
export function noteOpenRun(folder: string, runId: string, isOpen: boolean): void {
  try {
    appendFileSync(join(folder, journalFiles.openRuns), `${isOpen ? "+" : "-"}${runId}\n`, { mode: 0o600 });
  } catch {
    // A full disk must not end the recording: the run is then not found by others.
  }
}

/** Ids of the runs that the command, or the program, of a journal has made or continued and not ended; as the journal has them. */
export function readOpenRuns(folder: string): ReadonlySet<string> {
  const open = new Set<string>();
  for (const line of readOrUndefined(join(folder, journalFiles.openRuns))?.split("\n") ?? []) {
    if (line.startsWith("+")) open.add(line.slice(1));
    else open.delete(line.slice(1));
  }
  return open;
}
