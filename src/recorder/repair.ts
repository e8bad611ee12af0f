import { rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { hasCode } from "../util/error-code.ts";
import { monotonicMs } from "../util/monotonic.ts";
import type { ConsoleSource } from "../wire/control-messages.ts";
import type { AttemptEnd } from "../wire/final-status.ts";
import { journalFiles, type JournalHeader, type Place } from "../wire/journal-header.ts";
import { readRunIds } from "../journal/run-ids.ts";
import { type FoundJournal, findDeadJournals, readJson } from "./dead-journals.ts";
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
  let finished = 0;
  const dead = findDeadJournals(options.roots, options.here).filter(
    ({ header }) => header.isOffline !== true && options.isForOthers?.(header) !== true,
  );
  for (const [index, journal] of dead.entries()) {
    const leftMs = Math.min(deadline - monotonicMs(), isUnjoined(journal) ? unjoinedMs : Infinity);
    if (leftMs <= 0) {
      // A store that takes nothing now has nothing to tell anew with each command.
      if (finished > 0) options.onNotice(`${dead.length - index} more lost runs wait: the next track command goes on`);
      break;
    }
    if (await repairJournal(journal, options, leftMs)) finished += 1;
  }
  return finished;
}

/** Of a rank whose run nobody may ever make. */
const unjoinedMs = 500;

const isUnjoined = ({ folder, header }: FoundJournal): boolean =>
  header.rank !== undefined &&
  header.rank.index > 0 &&
  !header.rank.isRunKnown &&
  readRunIds(folder)[header.runId] === undefined;

/** Content of `command.json` beside the process's identity. */
interface StartedCommand {
  readonly console?: ConsoleSource;
  readonly runId?: string;
}

type JournalRepair = Pick<RepairOptions, "env" | "onNotice" | "now">;

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
    now: options.now,
  });
  if (session === undefined) return undefined;
  const { recording } = session;
  recording.start();
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
