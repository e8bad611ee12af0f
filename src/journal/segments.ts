import { readdirSync } from "node:fs";
import { join } from "node:path";
import { hasCode } from "../util/error-code.ts";

const segmentPattern = /^entries-(\d{6,})\.ndjson$/u;

/** Path of a segment; numbers begin at 1 and only grow. */
export function segmentPath(folder: string, segment: number): string {
  return join(folder, `entries-${String(segment).padStart(6, "0")}.ndjson`);
}

/** Numbers of the segments of a journal folder, ascending; none where the folder is not there. */
export function listSegments(folder: string): number[] {
  return namesIn(folder)
    .map((name) => segmentPattern.exec(name)?.[1])
    .filter((digits) => digits !== undefined)
    .map(Number)
    .sort((a, b) => a - b);
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (hasCode(error, "ENOENT")) return [];
    throw error;
  }
}
