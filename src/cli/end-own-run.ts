import { closeSync, constants, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { TrackError } from "../errors.ts";
import { readJson } from "../recorder/dead-journals.ts";
import type { ShellRunSummary } from "../recorder/shell-life.ts";
import { variable } from "../settings/tracking-uri.ts";
import { hasCode } from "../util/error-code.ts";
import { readOrUndefined, readStartTicks, readStat } from "../util/proc.ts";
import { runToJson } from "../wire/rest-json.ts";
import { journalFiles, type JournalHeader, type ProcessIdentity } from "../wire/journal-header.ts";
import type { EndOptions } from "./commands/end-options.ts";
import type { Context } from "./context.ts";
import { type EnclosingRun, endShellRun, type ShellRunEnd } from "./end-shell-run.ts";
import { findRun } from "./find-run.ts";
import { findCallingShell } from "./launch/calling-shell.ts";
import { closingLine } from "./launch/closing-line.ts";
import { restoreText } from "./launch/shell-text.ts";
import { openExisting } from "./open-for-reading.ts";
import { writeJson } from "./write-json.ts";

const usualTimeoutMs = 30_000;

export interface OwnRun {
  readonly own: EnclosingRun | undefined;
  /** The user has named the run, wherever he is. */
  readonly isNamed: boolean;
}

/** Ends the run of this shell. Nothing to end is no failure: a trap must not change how its script ends. */
export async function endOwnRun(context: Context, options: EndOptions, { own, isNamed }: OwnRun): Promise<void> {
  if (own === undefined) return context.io.say("there is no run to end here");
  const { header, runId } = own;
  const shortId = runId.slice(0, 8);
  if (header !== undefined && header.kind !== "shell") {
    return context.io.say(`run ${shortId} ends with its command, not by track end`);
  }
  if (header !== undefined && !isNamed && isOfAnotherShell(own.folder)) {
    return context.io.say(`run ${shortId} is another shell's, which ends it; track end ${shortId} does it here`);
  }
  const ended = header === undefined ? { kind: "gone" as const } : await endIt(context, options, { ...own, header });
  if (ended.kind === "gone") await tellEnded(context, runId, options);
  if (options.printEnv === true) {
    const syntax = options.shell ?? findCallingShell(process.ppid)?.syntax ?? "sh";
    context.io.out(restoreText(syntax, runId));
  }
  if (options.json === true) await writeRun(context, runId, options);
}

/**
 * A script that was started within the run, and has ended a run of its own, is no part of its shell: a trap of its that comes after
 * that must not end what it was started in. This process may be that script, since a shell becomes its last command.
 */
function isOfAnotherShell(folder: string): boolean {
  const own = readShell(folder);
  const ended = readEndedShells(folder);
  if (ended.length === 0) return false;
  for (let pid = process.pid; pid > 1; pid = Number(readStat(pid)?.[1] ?? 0)) {
    const startTicks = readStartTicks(pid);
    const isIt = (shell: ProcessIdentity): boolean => shell.pid === pid && shell.startTicks === startTicks;
    if (own !== undefined && isIt(own)) return false;
    if (ended.some(isIt)) return true;
  }
  return false;
}

/** For the run that this one was started in, before the journal goes. */
function noteEndedShell({ folder, header }: EnclosingRun & { readonly header: JournalHeader }): void {
  const shell = readShell(folder);
  if (shell === undefined || header.outerJournal === undefined) return;
  try {
    const fd = openSync(
      join(header.outerJournal, journalFiles.endedShells),
      constants.O_CREAT | constants.O_WRONLY | constants.O_APPEND,
      0o600,
    );
    writeSync(fd, `${JSON.stringify({ pid: shell.pid, startTicks: shell.startTicks })}\n`);
    closeSync(fd);
  } catch (error) {
    // The outer run is over, or cannot be written to: then nobody can end it by mistake, or it is as it was.
    if (!hasCode(error, "ENOENT", "EACCES", "ENOSPC", "EDQUOT", "EROFS")) throw error;
  }
}

function readEndedShells(folder: string): readonly ProcessIdentity[] {
  const lines = readOrUndefined(join(folder, journalFiles.endedShells))?.split("\n") ?? [];
  return lines.filter((line) => line.endsWith("}")).map((line) => JSON.parse(line) as ProcessIdentity);
}

async function endIt(
  context: Context,
  options: EndOptions,
  run: EnclosingRun & { readonly header: JournalHeader },
): Promise<ShellRunEnd> {
  const { exitCode, status, syncTimeoutMs = usualTimeoutMs } = options;
  const request = { ...(exitCode !== undefined && { exitCode }), ...(status !== undefined && { status }) };
  noteEndedShell(run);
  const ended = await endShellRun(context, run, { request, timeoutMs: syncTimeoutMs });
  if (options.quiet === true || ended.kind === "gone") return ended;
  if (ended.kind === "late") context.io.say("not all is stored yet, the recorder goes on");
  else if (ended.summary !== undefined) tellSummary(context, run, ended.summary, exitCode);
  else await tellEnded(context, run.runId, options);
  return ended;
}

function tellSummary(
  context: Context,
  { runId, header }: EnclosingRun & { readonly header: JournalHeader },
  summary: ShellRunSummary,
  exitCode: number | undefined,
): void {
  for (const text of summary.notices) context.io.say(text);
  if (summary.isAgain === true) {
    return context.io.say(`ended already: ${summary.runId} (${summary.runName}), ${summary.status}`);
  }
  const { status } = summary;
  const isStored = summary.pendingEntries === 0;
  const outcome = exitCode === undefined ? {} : { outcome: { kind: "exited", exitCode } as const };
  const { isErrTerminal } = context.io;
  context.io.say(
    closingLine({ runId, status, isStored, summary, ...outcome }, header, {
      isTerminal: isErrTerminal,
      now: context.now(),
    }),
  );
}

/** With what the store knows, where it can be asked. */
async function tellEnded(context: Context, runId: string, options: EndOptions): Promise<void> {
  if (options.quiet === true) return;
  try {
    await using store = await openExisting(context, "read", storeUri(context, options));
    const { runName, status } = (await findRun(store, runId)).info;
    context.io.say(`ended already: ${runId} (${runName}), ${status}`);
  } catch (error) {
    if (!(error instanceof TrackError)) throw error;
    context.io.say(`ended already: ${runId}`);
  }
}

async function writeRun(context: Context, runId: string, options: EndOptions): Promise<void> {
  await using store = await openExisting(context, "read", storeUri(context, options));
  writeJson(context.io, { run: runToJson(await findRun(store, runId)) });
}

const readShell = (folder: string): ProcessIdentity | undefined =>
  readJson(join(folder, journalFiles.command)) as ProcessIdentity | undefined;

/** The endpoint in the environment is gone with the run. */
const storeUri = ({ env }: Context, { trackingUri }: EndOptions): string | undefined =>
  trackingUri ?? variable(env, "TRACK_TRACKING_URI");
