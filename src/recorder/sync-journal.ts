import { existsSync } from "node:fs";
import { join } from "node:path";
import { readEntries, readLastSequence } from "../journal/journal-reader.ts";
import { readCursor } from "../journal/cursor.ts";
import type { SharedStores } from "../store/shared-stores.ts";
import { journalFiles, type Place } from "../wire/journal-header.ts";
import { type FoundJournal, isDead, isOfPlace, soon } from "./dead-journals.ts";
import { reopenJournal } from "./repair.ts";

type Environment = Readonly<Record<string, string | undefined>>;

export interface SyncOptions {
  readonly env: Environment;
  readonly here: Place;
  /** Of the journals that are sent beside this one. */
  readonly stores?: SharedStores;
  onNotice(text: string): void;
  /** About once a second while there is something left. */
  onProgress(entriesLeft: number): void;
  now(): number;
}

/** `live`: its run goes on, or may; `busy`: another process is at it. */
export type SyncState = "sent" | "left" | "live" | "busy";

export interface SyncResult {
  readonly state: SyncState;
  readonly entriesLeft: number;
  /** Set aside since the store refused them for good. */
  readonly refusedEntries: number;
}

/** So long a store that is away is waited for. */
const awaySecondsAllowed = 10;
/** A run elsewhere that said something so lately may be alive: a heartbeat comes every 30 s. */
const quietMs = 120_000;

/** Sends what a journal holds, from wherever it came. What is left is sent by the next call. */
export async function syncJournal(journal: FoundJournal, options: SyncOptions): Promise<SyncResult> {
  const left = entriesLeft(journal.folder);
  if (mayBeAlive(journal, options)) return { state: "live", entriesLeft: left, refusedEntries: 0 };
  const isElsewhere = !isOfPlace(journal.header, options.here);
  const session = await soon(() => reopenJournal(journal, { ...options, isElsewhere }));
  if (session === undefined) return { state: "busy", entriesLeft: left, refusedEntries: 0 };
  const { recording } = session;
  let awaySeconds = 0;
  let before = recording.pendingEntries;
  while (awaySeconds < awaySecondsAllowed && !(await recording.settle(1000))) {
    const isStuck = recording.pendingEntries === before && recording.isStoreAway;
    awaySeconds = isStuck ? awaySeconds + 1 : 0;
    before = recording.pendingEntries;
    options.onProgress(before);
  }
  const result = { entriesLeft: recording.pendingEntries, refusedEntries: recording.refusedEntries };
  await session.close();
  return { state: result.entriesLeft === 0 ? "sent" : "left", ...result };
}

/** Entries that are neither stored nor set aside. */
export function entriesLeft(folder: string): number {
  return Math.max(0, readLastSequence(folder) - (readCursor(folder)?.sequence ?? 0));
}

/** Of another host, or another container, only how lately something was said can tell. */
export function mayBeAlive(
  { folder, header }: FoundJournal,
  { here, now }: Pick<SyncOptions, "here" | "now">,
): boolean {
  if (isOfPlace(header, here)) return !isDead(folder, header, here);
  if (existsSync(join(folder, journalFiles.outcome))) return false;
  let lastAt = header.startTime;
  for (const { entry } of readEntries(folder)) lastAt = Math.max(lastAt, entry.receivedAt);
  return Math.abs(now() - lastAt) < quietMs;
}
