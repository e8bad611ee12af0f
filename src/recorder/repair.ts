import { rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { mlflowTags } from "../entities/tag-keys.ts";
import { hasCode } from "../util/error-code.ts";
import { isServerUri } from "../settings/tracking-uri.ts";
import { SharedStores } from "../store/shared-stores.ts";
import { eachOfSeveral } from "../util/each-of-several.ts";
import { monotonicMs } from "../util/monotonic.ts";
import type { ConsoleSource } from "../wire/control-messages.ts";
import type { AttemptEnd } from "../wire/final-status.ts";
import { journalFiles, type JournalHeader, type Place } from "../wire/journal-header.ts";
import { readRunIds } from "../journal/run-ids.ts";
import { type FoundJournal, findDeadJournals, isJoined, readJson } from "./dead-journals.ts";
import { RunSession } from "./run-session.ts";

export interface RepairOptions {
  /** Folders that hold journals. */
  readonly roots: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly here: Place;
  /** How long all journals together may take, ms; what is not stored by then stays for the next command. */
  readonly budgetMs: number;
  onNotice(text: string): void;
  /** Journals that are left to others; default: none. */
  readonly isForOthers?: (header: JournalHeader) => boolean;
  now(): number;
}

/**
 * Finishes what dead recorders of this host and pid namespace left: replays their journals, writes the final status of runs
 * that have none. Live journals, and those of other places, are left alone. Resolves to the number of journals finished.
 */
export async function repairJournals(options: RepairOptions): Promise<number> {
  const deadline = monotonicMs() + options.budgetMs;
  const dead = findDeadJournals(options.roots, options.here).filter(
    ({ header }) => header.isOffline !== true && options.isForOthers?.(header) !== true,
  );
  await using stores = new SharedStores();
  let begun = 0;
  let finished = 0;
  await forEachJournal(dead, async (journal) => {
    const leftMs = Math.min(deadline - monotonicMs(), isUnjoined(journal) ? unjoinedMs : Infinity);
    if (leftMs <= 0) return;
    begun += 1;
    if (await repairJournal(journal, { ...options, stores }, leftMs)) finished += 1;
  });
  // A store that takes nothing now has nothing to tell anew with each command.
  const left = dead.length - begun;
  if (left > 0 && finished > 0) options.onNotice(`${left} more lost runs wait: the next track command goes on`);
  return finished;
}

/** Of those for a database the commits become one; a server's answers are not waited for in turn. */
const atOnce = { database: 16, server: 4 };

/** Does `work` with each journal, several at a time; those that look for a run that another makes come behind it: ranks, and inner runs. */
export async function forEachJournal<Journal extends FoundJournal>(
  journals: readonly Journal[],
  work: (journal: Journal) => Promise<void>,
): Promise<void> {
  const byRun = new Map(journals.filter(({ header }) => !isJoined(header)).map(({ header }) => [header.runId, header]));
  const stages = Map.groupBy(journals, ({ header }) => depthOf(header, byRun) + (isJoined(header) ? 0.5 : 0));
  for (const [, those] of [...stages].toSorted(([one], [other]) => one - other)) {
    const ofServers = those.filter(({ header }) => isServerUri(header.trackingUri));
    const ofDatabases = those.filter(({ header }) => !isServerUri(header.trackingUri));
    await eachOfSeveral(ofDatabases, atOnce.database, work);
    await eachOfSeveral(ofServers, atOnce.server, work);
  }
}

const mostDepth = 20;

/** How many of the runs that a run lies in have journals here. */
function depthOf(header: JournalHeader, byRun: ReadonlyMap<string, JournalHeader>): number {
  let depth = 0;
  for (let outer = parentOf(header, byRun); outer !== undefined && depth < mostDepth; outer = parentOf(outer, byRun)) {
    depth += 1;
  }
  return depth;
}

function parentOf({ tags }: JournalHeader, byRun: ReadonlyMap<string, JournalHeader>): JournalHeader | undefined {
  return byRun.get(tags.find(({ key }) => key === mlflowTags.parentRunId)?.value ?? "");
}

/** Of a rank whose run nobody may ever make. */
const unjoinedMs = 500;

const isUnjoined = ({ folder, header }: FoundJournal): boolean =>
  isJoined(header) && header.rank?.isRunKnown === false && readRunIds(folder)[header.runId] === undefined;

/** Content of `command.json` beside the process's identity. */
interface StartedCommand {
  readonly console?: ConsoleSource;
  readonly runId?: string;
}

type JournalRepair = Pick<RepairOptions, "env" | "onNotice" | "now"> & { readonly stores?: SharedStores };

/** Finishes one journal within `leftMs`; false where another process has it, or not all could be stored. */
export async function repairJournal(journal: FoundJournal, options: JournalRepair, leftMs: number): Promise<boolean> {
  const session = await reopenJournal(journal, options);
  if (session === undefined) return false;
  const isStored = await session.recording.settle(leftMs);
  await session.close();
  if (isStored) removeSocket(journal.header.socketPath);
  return isStored;
}

/**
 * Opens the journal of a dead recorder, with the end of its run said: all that is left is to store it.
 * `undefined` where a recorder lives on, for what its command left running or for a store that is away.
 */
export async function reopenJournal(
  { folder, header }: FoundJournal,
  options: JournalRepair & { readonly isElsewhere?: boolean },
): Promise<RunSession | undefined> {
  const session = await RunSession.open({
    folder,
    env: options.env,
    isReplay: true,
    isRepair: true,
    onNotice: (text) => options.onNotice(`run ${header.runId.slice(0, 8)}: ${text}`),
    ...(options.stores !== undefined && { stores: options.stores }),
    now: options.now,
  });
  if (session === undefined) return undefined;
  const { recording } = session;
  const command = readJson(join(folder, journalFiles.command)) as StartedCommand | undefined;
  // Files that the command wrote itself lie on its own host; here there may be others of that name.
  const isOutputHere = options.isElsewhere !== true || command?.console?.kind === "spool";
  if (command?.console !== undefined && isOutputHere) session.console.use(command.console);
  if (command?.runId !== undefined) recording.ids.childRunId = command.runId;
  const outcome = readJson(join(folder, journalFiles.outcome)) as AttemptEnd | undefined;
  const end = outcome ?? { missing: "lost" as const, isScriptStatusKept: header.survive };
  if (recording.earlier.isEnded) await session.sources.takeIn();
  else await session.end(end);
  session.endOpenRuns(end);
  // Only then is the store asked for anything, so that all of a short run becomes one write.
  await recording.written();
  recording.start();
  return session;
}

/** Its recorder had no time for that. */
function removeSocket(path: string | undefined): void {
  const folder = dirname(path ?? "");
  if (!basename(folder).startsWith("track-")) return;
  try {
    rmSync(folder, { recursive: true, force: true });
  } catch (error) {
    // A folder that cannot be removed now is nothing that a run would have to wait for.
    if (!hasCode(error, "EACCES", "EPERM", "EBUSY", "EROFS")) throw error;
  }
}
