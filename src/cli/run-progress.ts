import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { journalRoots } from "../client/journal-folder.ts";
import type { Run } from "../entities/run.ts";
import { growingLogFiles } from "../recorder/console-recorder.ts";
import { listLiveJournals } from "../recorder/dead-journals.ts";
import { hasCode } from "../util/error-code.ts";
import { readPlace } from "../util/proc.ts";
import type { Context } from "./context.ts";
import { journalPlaces } from "./launch/journal-places.ts";
import { parseProgress, type Progress } from "./parse-progress.ts";

/** Bars repeat themselves: the end of the log is enough, however long it is. */
const tailBytes = 8 * 1024;

/**
 * How far the running ones of these runs say they are, by run id, where their recorder works on this host: read from the
 * end of the masked console log in the journal. A run that tells nothing is left out.
 */
export function readProgress(
  context: Context,
  runs: readonly Run[],
  trackingUri: string | undefined,
): ReadonlyMap<string, Progress> {
  const running = runs.filter((run) => run.info.status === "RUNNING");
  if (running.length === 0) return new Map();
  const roots = journalRoots(journalPlaces(context.trackingUri(trackingUri), context.env));
  const folders = listLiveJournals(roots, readPlace());
  const found = new Map<string, Progress>();
  for (const { info } of running) {
    const folder = folders.get(info.runId);
    const progress = folder === undefined ? undefined : parseProgress(readTail(folder));
    if (progress !== undefined) found.set(info.runId, progress);
  }
  return found;
}

/** The end of the newest of the files that a growing log consists of; the beginning may be cut within a character. */
function readTail(folder: string): string {
  for (const path of growingLogFiles(folder)) {
    const text = readEnd(path);
    if (text !== "") return text;
  }
  return "";
}

function readEnd(path: string): string {
  let fd: number;
  try {
    fd = openSync(path, "r");
  } catch (error) {
    // The recorder puts such files together and away as it goes.
    if (hasCode(error, "ENOENT", "EACCES", "ENOTDIR")) return "";
    throw error;
  }
  try {
    const { size } = fstatSync(fd);
    const buffer = Buffer.alloc(Math.min(size, tailBytes));
    return buffer.toString("utf8", 0, readSync(fd, buffer, 0, buffer.length, size - buffer.length));
  } finally {
    closeSync(fd);
  }
}
