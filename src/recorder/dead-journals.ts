import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { readRunIds } from "../journal/run-ids.ts";
import { hasCode } from "../util/error-code.ts";
import { isProcessAlive } from "../util/proc.ts";
import { readOpenRuns } from "./open-runs-file.ts";
import { journalFiles, type JournalHeader, type Place, type ProcessIdentity } from "../wire/journal-header.ts";

export interface FoundJournal {
  readonly folder: string;
  readonly header: JournalHeader;
}

/** Only journals of `here` can be judged; cheap enough for every command. */
export function findDeadJournals(roots: readonly string[], here: Place): readonly FoundJournal[] {
  return listJournals(roots).filter(({ folder, header }) => {
    return !existsSync(join(folder, journalFiles.finished)) && isDead(folder, header, here);
  });
}

/** The journal of a run, by its id in the store, whose wrapper or command lives on this host, if it has one. */
export function findLiveJournal(roots: readonly string[], here: Place, runId: string): FoundJournal | undefined {
  const found = listJournals(roots).filter(({ folder, header }) => {
    const isHere = header.place.bootId === here.bootId && header.place.pidNamespace === here.pidNamespace;
    const isSought = header.runId === runId || readRunIds(folder)[header.runId] === runId;
    return isSought && isHere && !isDead(folder, header, here);
  });
  return found.find(({ header }) => !isJoined(header)) ?? found[0];
}

/** The journal by which a run that lives here is recorded: its own, else that of the command, or the program, that has made it. */
export function findRecordingJournal(roots: readonly string[], here: Place, runId: string): FoundJournal | undefined {
  const own = findLiveJournal(roots, here, runId);
  if (own !== undefined) return own;
  return listJournals(roots).find(({ folder, header }) => {
    const open = readOpenRuns(folder);
    if (open.size === 0) return false;
    const storeIds = readRunIds(folder);
    const isSought = open.has(runId) || [...open].some((id) => storeIds[id] === runId);
    return isSought && isOfPlace(header, here) && !isDead(folder, header, here);
  });
}

/** Of a rank other than the first, which makes the run. */
export const isJoined = ({ rank }: JournalHeader): boolean => rank !== undefined && rank.index > 0;

/** Folders of the journals of runs that live on this host, by run id; of the latest attempt where there are more. */
export function listLiveJournals(roots: readonly string[], here: Place): ReadonlyMap<string, string> {
  const live = listJournals(roots).filter(({ folder, header }) => {
    const isHere = header.place.bootId === here.bootId && header.place.pidNamespace === here.pidNamespace;
    return isHere && !isDead(folder, header, here);
  });
  const byAttempt = live
    .filter(({ header }) => !isJoined(header))
    .toSorted((one, other) => one.header.attempt - other.header.attempt);
  return new Map(byAttempt.map(({ folder, header }) => [header.runId, folder]));
}

/** All journals in these folders, whoever's they are. */
export function listJournals(roots: readonly string[]): readonly FoundJournal[] {
  return roots.flatMap((root) =>
    listFolders(root).flatMap((name) => {
      const folder = join(root, name);
      const header = readJson(join(folder, journalFiles.header)) as JournalHeader | undefined;
      return header === undefined ? [] : [{ folder, header }];
    }),
  );
}

/** Written on this host and in this pid namespace, whenever it was up. */
export function isOfPlace({ place }: JournalHeader, here: Place): boolean {
  if (place.host !== here.host || place.machineId !== here.machineId) return false;
  return place.bootId !== here.bootId || place.pidNamespace === here.pidNamespace;
}

/** All processes named are gone, or the host has booted since. */
export function isDead(folder: string, { place, wrapper }: JournalHeader, here: Place): boolean {
  if (place.host !== here.host || place.machineId !== here.machineId) return false;
  if (place.bootId !== here.bootId) return true;
  if (place.pidNamespace !== here.pidNamespace) return false;
  const command = readJson(join(folder, journalFiles.command)) as ProcessIdentity | undefined;
  return ![wrapper, command].some((one) => one !== undefined && isProcessAlive(one));
}

function listFolders(root: string): readonly string[] {
  try {
    return readdirSync(root);
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR", "EACCES", "EPERM")) return [];
    throw error;
  }
}

/** Content of a JSON file; one that is not there, not ours or half written says nothing. */
export function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR", "EACCES", "EPERM") || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

const takeTries = 30;
const takeRetryMs = 100;

/** Tries until there is something to take: the recorder of a run that has just ended may be at its journal for a moment still. */
export async function soon<Value>(take: () => Promise<Value | undefined>): Promise<Value | undefined> {
  for (let tries = 1; ; tries += 1) {
    const taken = await take();
    if (taken !== undefined || tries === takeTries) return taken;
    await sleep(takeRetryMs);
  }
}
