import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { claimJournal } from "../journal/claim.ts";
import { readEntries, readLastSequence } from "../journal/journal-reader.ts";
import { readCursor } from "../journal/cursor.ts";
import { resolveServerAccess } from "../settings/server-access.ts";
import { isServerUri } from "../settings/tracking-uri.ts";
import { openTrackingStore } from "../store/open-store.ts";
import type { SharedStores } from "../store/shared-stores.ts";
import type { TrackingStore } from "../store/tracking-store.ts";
import { TrackError } from "../errors.ts";
import { withoutUserinfo } from "../util/uri-secrets.ts";
import { writePrivate } from "../util/write-private.ts";
import { journalFiles, type JournalHeader, type Place } from "../wire/journal-header.ts";
import { type FoundJournal, isDead, isJoined, isOfPlace } from "./dead-journals.ts";
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

const claimTries = 30;
const claimRetryMs = 100;
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

/**
 * Makes another store the journal's: all that it still holds goes there, from its beginning. Throws `TrackError` where that cannot
 * be (a run that is continued, an experiment whose name is unknown); nothing is changed then.
 */
export async function retargetJournal(
  { folder, header }: FoundJournal,
  trackingUri: string,
  env: Environment,
): Promise<void> {
  const target = withoutUserinfo(trackingUri);
  if (target === header.trackingUri) return;
  if (header.isResumed || (isJoined(header) && header.rank?.isRunKnown === true))
    throw new TrackError("it continues a run of its own store, and can go nowhere else");
  const claim = await soon(() => claimJournal(folder));
  if (claim === undefined) throw new TrackError("another process is at it");
  try {
    const access = isServerUri(trackingUri) ? resolveServerAccess(trackingUri, env) : undefined;
    await using store = await openTrackingStore(trackingUri, {
      mode: "write",
      ...(access !== undefined && { access }),
    });
    const ids = await experimentIds(store, header);
    const {
      workspace: _workspace,
      isUntrusted: _isUntrusted,
      ...kept
    } = JSON.parse(readFileSync(join(folder, journalFiles.header), "utf8")) as JournalHeader;
    const workspace = access?.workspace;
    const moved = { ...kept, trackingUri: target, ...(workspace !== undefined && { workspace }), isRetargeted: true };
    for (const name of [journalFiles.cursor, journalFiles.outerRunIds, journalFiles.refused, journalFiles.finished]) {
      rmSync(join(folder, name), { force: true });
    }
    writePrivate(folder, journalFiles.runIds, JSON.stringify(ids));
    writePrivate(folder, journalFiles.header, JSON.stringify(moved));
  } finally {
    await claim.release();
  }
}

/** The recorder of a run that has just ended may be at its journal for a moment still. */
async function soon<Value>(take: () => Promise<Value | undefined>): Promise<Value | undefined> {
  for (let tries = 1; ; tries += 1) {
    const taken = await take();
    if (taken !== undefined || tries === claimTries) return taken;
    await sleep(claimRetryMs);
  }
}

/** The run's experiment by its name, made where it is missing: ids mean something else in another store. */
async function experimentIds(
  store: TrackingStore,
  { experiment, experimentName }: JournalHeader,
): Promise<Record<string, string>> {
  if (!("experimentId" in experiment)) return {};
  const { experimentId } = experiment;
  const name = experimentName ?? (experimentId === "0" ? "Default" : undefined);
  if (name === undefined) throw new TrackError(`the name of its experiment ${experimentId} is unknown`);
  const found = await store.getExperimentByName(name);
  return { [experimentId]: found?.experimentId ?? (await store.createExperiment({ name })) };
}
