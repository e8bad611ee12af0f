import { rmSync } from "node:fs";
import { runCommand, type RunCommandRequest } from "../../wrapper/run-command.ts";
import type { Context } from "../context.ts";
import { announcement } from "./closing-line.ts";
import { commandEnvironment } from "./command-environment.ts";
import { decideDirect } from "./direct.ts";
import { faultLine, inRanksName, isToldAlready, type Say, sayIgnored, sayLate } from "./launch-notices.ts";
import { isRunUnknown, joiningRank, type LaunchRequest, runIdWait } from "./launch-request.ts";
import { openLoopback } from "./open-channels.ts";
import { noteOwnLine } from "./own-lines.ts";
import { prepare, type Prepared } from "./prepare-run.ts";
import { writeRunId } from "./run-id-file.ts";
import { tellEnd } from "./tell-end.ts";

/**
 * Gives the command a run and starts it: from here on nothing of ours may keep it from running. Resolves to the exit code, or
 * dies as the command died. Rejects only where the command was not started.
 */
export async function launchRun(context: Context, request: LaunchRequest): Promise<number> {
  const launch = await prepareLaunch(context, request);
  const { header, journal, say } = launch;
  const result = await runCommand(commandRequest(context, launch)).catch((error: unknown) => discard(launch, error));
  tellEnd(context, { settings: request.settings, header, result, say, isRecorded: journal !== undefined });
  return result.leave((exitCode) => context.exit(exitCode));
}

/** A run whose command is about to start. */
interface Launch extends Prepared {
  readonly request: LaunchRequest;
  /** The command's MLflow clients go to the store themselves. */
  readonly isDirect: boolean;
  /** How long the command waits for the id that the store gives, ms; absent: not at all. */
  readonly runIdWaitMs: number | undefined;
  readonly say: Say;
}

async function prepareLaunch(context: Context, request: LaunchRequest): Promise<Launch> {
  const { settings, command, preflight } = request;
  const rank = joiningRank(request);
  let journalFolder: string | undefined;
  const say = (said: string): void => {
    if (settings.quiet) return;
    const text = inRanksName(rank, said);
    if (journalFolder !== undefined) noteOwnLine(journalFolder, text);
    context.io.say(text);
  };
  const { isDirect, hint } = decideDirect(settings, command);
  if (hint !== undefined) say(hint);
  const opening = openLoopback(settings, isDirect, say);
  const bound = opening instanceof Promise ? await opening : opening;
  const prepared = prepare(context, { ...request, isDirect }, say, bound);
  if (prepared.journal === undefined) return { ...prepared, request, isDirect, runIdWaitMs: undefined, say };
  journalFolder = prepared.journal.folder;
  if (preflight.fault !== undefined) say(faultLine(preflight, preflight.fault));
  if (settings.autolog) sayIgnored(command, say);
  return { ...prepared, request, isDirect, runIdWaitMs: runIdWait(request, isDirect), say };
}

/** The command was not started: it may be now, without a run. One that a server has made is ended by the recorder. */
function discard({ journal, runIdWaitMs, logging, loopback }: Launch, error: unknown): never {
  if (journal !== undefined && runIdWaitMs === undefined) rmSync(journal.folder, { recursive: true, force: true });
  logging?.close();
  loopback?.close();
  throw error;
}

function commandRequest(context: Context, launch: Launch): RunCommandRequest {
  const { request, header, journal, logging, loopback, runIdWaitMs, say } = launch;
  const { settings, preflight, notes } = request;
  const { capture, consoleLimitBytes, survive, timeoutMs, graceMs, syncTimeoutMs } = settings;
  return {
    argv: request.command,
    ...(request.isElsewhere && { cwd: request.cwd }),
    environment: (storeRunId) => environmentOf(context, launch, storeRunId),
    runId: header.runId,
    ...(runIdWaitMs !== undefined && { runIdWaitMs }),
    ...(request.server !== undefined && { recorderEnv: request.server.recorderEnv }),
    notes,
    capture,
    consoleLimitBytes,
    survive,
    ...(journal !== undefined && { journalFolder: journal.folder }),
    logging,
    loopback,
    ...(timeoutMs !== undefined && { timeoutMs }),
    graceMs,
    syncTimeoutMs,
    say: (text) => void (isToldAlready(text, preflight, settings) || say(text)),
    showProgress: !settings.quiet && context.io.isErrTerminal,
  };
}

/** Right before the start: the run has its id, and is announced under it. */
function environmentOf(
  context: Context,
  { request, header, journal, logging, loopback, isDirect, runIdWaitMs, say }: Launch,
  storeRunId: string | undefined,
): Readonly<Record<string, string>> {
  const { settings, preflight, notes } = request;
  // A run that will never be in the store would make an MLflow client in the command fail.
  if (journal === undefined) return notes.environment;
  const isLate = runIdWaitMs !== undefined && storeRunId === undefined;
  if (isLate) sayLate(settings, isDirect, say);
  const runId = storeRunId ?? header.runId;
  if (storeRunId !== undefined && settings.runIdFile !== undefined) writeRunId(settings.runIdFile, runId);
  const isJoining = joiningRank(request) !== undefined;
  if (!isJoining) say(announcement({ ...header, runId }, preflight, context.io.isErrTerminal));
  const isRunMissing = (isLate && isDirect) || (loopback === undefined && isRunUnknown(request));
  const ways = { logPath: journal.logPath, logging, loopback, isRunMissing };
  return commandEnvironment(request, { ...header, runId }, ways);
}
