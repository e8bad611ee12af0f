import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readOrUndefined } from "../util/proc.ts";
import { journalFiles } from "../wire/journal-header.ts";
import type { JournalPosition } from "./journal-reader.ts";

/** How far a journal is drained. */
export interface JournalCursor {
  /** Every entry that is not stored yet lies behind it. */
  readonly position: JournalPosition;
  /** Of the last entry that was stored or refused. */
  readonly sequence: number;
  /** What `DrainOptions.revision` said before the first write of all sessions. */
  readonly revision?: string;
}

/** `undefined` where there is none yet; one that cannot be understood counts as none, since a replay does no harm. */
export function readCursor(folder: string): JournalCursor | undefined {
  const text = readOrUndefined(join(folder, journalFiles.cursor));
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return isCursor(value) ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** By a new file and a rename: a reader sees the old cursor or the new one, whole. */
export function writeCursor(folder: string, cursor: JournalCursor): void {
  const path = join(folder, journalFiles.cursor);
  writeFileSync(`${path}.new`, `${JSON.stringify(cursor)}\n`, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

function isCursor(value: unknown): value is JournalCursor {
  if (typeof value !== "object" || value === null) return false;
  const { position, sequence } = value as Partial<JournalCursor>;
  return (
    Number.isSafeInteger(position?.segment) && Number.isSafeInteger(position?.offset) && Number.isSafeInteger(sequence)
  );
}
