import { rmSync, writeFileSync } from "node:fs";
import type { Tag } from "../../entities/tag.ts";
import { TrackError } from "../../errors.ts";
import { bindLoopbackServer, type LoopbackServer } from "../../client/loopback-server.ts";
import { bindLoggingServer, type LoggingServer } from "../../client/logging-server.ts";
import { createJournalFolder, journalRoots } from "../../client/journal-folder.ts";
import type { ServerAccess } from "../../entities/server-access.ts";
import type { Cluster } from "../../settings/cluster.ts";
import type { RunSettings } from "../../settings/run-settings.ts";
import { type Environment, variable } from "../../settings/tracking-uri.ts";
import { parseTrackingUri } from "../../store/tracking-uri.ts";
import { messageOf } from "../../util/error-code.ts";
import type { JournalHeader, TensorboardSettings } from "../../wire/journal-header.ts";
import { createMasker } from "../../wire/redact.ts";
import { findEnvironmentSecrets } from "../../wire/secret-names.ts";
import type { LaunchNotes } from "../../wrapper/launch-notes.ts";
import { runCommand, type RunCommandResult } from "../../wrapper/run-command.ts";
import type { Context } from "../context.ts";
import { attemptHeader } from "./attempt-header.ts";
import { childEnvironment } from "./child-environment.ts";
import { decideDirect } from "./direct.ts";
import { announcement, closingLine, summaryJson } from "./closing-line.ts";
import { noteOwnLine } from "./own-lines.ts";
import { journalPlaces } from "./journal-places.ts";
import { hookIgnoringFlag } from "./python-hook.ts";
import type { Preflight } from "./preflight.ts";

export interface LaunchRequest {
  readonly settings: RunSettings;
  readonly preflight: Preflight;
  readonly command: readonly string[];
  /** No command is started: the run is for the shell that asks for it. */
  readonly kind?: "shell";
  /** The journal of the run that the shell is in already. */
  readonly outerJournal?: string;
  readonly cwd: string;
  /** Another folder than this process's is to be the command's. */
  readonly isElsewhere: boolean;
  readonly notes: LaunchNotes;
  readonly userName: string;
  readonly sourceTags: readonly Tag[];
  readonly recordedOptions: string;
  readonly tensorboard?: TensorboardSettings;
  /** The tracking server and how it is reached. */
  readonly server?: LaunchServer;
  /** What a scheduler says of this start. */
  readonly cluster?: Cluster;
}

type DirectedRequest = LaunchRequest & { readonly isDirect: boolean };

/** How long a command whose clients go to a database themselves waits for its run to be there. */
const directWaitMs = 2000;

export interface LaunchServer {
  readonly access: ServerAccess;
  /** With the credentials beside the URI that they are for. */
  readonly recorderEnv: Readonly<Record<string, string>>;
  /** How long the start may still wait for the server to give the run its id, ms. */
  readonly runIdWaitMs: number;
}

/**
 * Gives the command a run and starts it: from here on nothing of ours may keep it from running. Resolves to the exit code, or
 * dies as the command died. Rejects only where the command was not started.
 */
export async function launchRun(context: Context, request: LaunchRequest): Promise<number> {
  const { settings, notes, command, preflight } = request;
  let journalFolder: string | undefined;
  const rank = joiningRank(request);
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
  const { header, journal, logging, loopback } = prepare(context, { ...request, isDirect }, say, bound);
  journalFolder = journal?.folder;
  if (journal !== undefined && preflight.fault !== undefined) say(faultLine(preflight, preflight.fault));
  const runIdWaitMs = journal === undefined ? undefined : runIdWait(request, isDirect);
  if (journal !== undefined && settings.autolog) sayIgnored(command, say);
  const discard = (error: unknown): never => {
    // The command was not started: it may be now, without a run. One that a server has made is ended by the recorder.
    if (journal !== undefined && runIdWaitMs === undefined) rmSync(journal.folder, { recursive: true, force: true });
    logging?.close();
    loopback?.close();
    throw error;
  };
  const result = await runCommand({
    argv: command,
    ...(request.isElsewhere && { cwd: request.cwd }),
    environment: (storeRunId) => {
      // A run that will never be in the store would make an MLflow client in the command fail.
      if (journal === undefined) return notes.environment;
      const isLate = runIdWaitMs !== undefined && storeRunId === undefined;
      if (isLate) sayLate(settings, isDirect, say);
      const runId = storeRunId ?? header.runId;
      if (storeRunId !== undefined && settings.runIdFile !== undefined) writeRunId(settings.runIdFile, runId);
      if (rank === undefined) say(announcement({ ...header, runId }, preflight, context.io.isErrTerminal));
      const isRunMissing = (isLate && isDirect) || (loopback === undefined && isRunUnknown(request));
      const ways = { logPath: journal.logPath, logging, loopback, isRunMissing };
      return commandEnvironment(request, { ...header, runId }, ways);
    },
    runId: header.runId,
    ...(runIdWaitMs !== undefined && { runIdWaitMs }),
    ...(request.server !== undefined && { recorderEnv: request.server.recorderEnv }),
    notes,
    capture: settings.capture,
    consoleLimitBytes: settings.consoleLimitBytes,
    survive: settings.survive,
    ...(journal !== undefined && { journalFolder: journal.folder }),
    logging,
    loopback,
    ...(settings.timeoutMs !== undefined && { timeoutMs: settings.timeoutMs }),
    graceMs: settings.graceMs,
    syncTimeoutMs: settings.syncTimeoutMs,
    say: (text) => void (isToldAlready(text, preflight, settings) || say(text)),
    showProgress: !settings.quiet && context.io.isErrTerminal,
  }).catch(discard);
  tellEnd(context, { settings, header, result, say, isRecorded: journal !== undefined });
  return result.leave((exitCode) => context.exit(exitCode));
}

/** A run that is continued has its id; a server that is away now gives none. Clients that go to the store themselves must find the run. */
export function runIdWait(request: LaunchRequest, isDirect: boolean): number | undefined {
  const { server, preflight, settings } = request;
  if (preflight.run !== undefined || settings.offline || joiningRank(request) !== undefined) return undefined;
  if (server === undefined) return isDirect ? directWaitMs : undefined;
  return preflight.fault === undefined ? server.runIdWaitMs : undefined;
}

/** Of a rank that joins the run of rank 0. */
function joiningRank({ cluster }: LaunchRequest): number | undefined {
  const index = cluster?.rank?.index ?? 0;
  return index > 0 ? index : undefined;
}

const inRanksName = (rank: number | undefined, text: string): string =>
  rank === undefined ? text : `rank ${rank}: ${text}`;

/** What a rank's clients would ask for is not in the store under this id. */
const isRunUnknown = (request: LaunchRequest): boolean =>
  joiningRank(request) !== undefined && request.preflight.joined === undefined;

/** The run starts without the id that the store gives; refused by `--strict`. */
export function sayLate({ strict }: RunSettings, isDirect: boolean, say: Say): void {
  if (strict) throw refusedStart("the tracking server has not made the run in time");
  say(
    isDirect
      ? "the store has not made the run in time: the command's MLflow clients start runs of their own"
      : "the tracking server has not made the run in time: the command starts under an id that is mapped later",
  );
}

interface End {
  readonly settings: RunSettings;
  readonly header: JournalHeader;
  readonly result: RunCommandResult;
  readonly say: Say;
  readonly isRecorded: boolean;
}

/** The command is over: its exit code does not change for what fails here. */
function tellEnd(context: Context, { settings, header, result, say, isRecorded }: End): void {
  const { io } = context;
  const isSilent = settings.quiet || !isRecorded;
  // A shell would have said that.
  if (isSilent && result.outcome.kind === "spawn-failed") io.say(result.outcome.message);
  try {
    const now = context.now();
    // Rank 0 speaks for all that went well.
    const isSpokenFor = (header.rank?.index ?? 0) > 0 && result.status === "FINISHED" && result.isStored;
    if (!isSilent && !isSpokenFor) say(closingLine(result, header, { isTerminal: io.isErrTerminal, now }));
    if (settings.summaryFile !== undefined) writeFileSync(settings.summaryFile, summaryJson(result, header, now));
  } catch (error) {
    io.say(`cannot write the summary: ${messageOf(error)}`);
  }
}

/** What a run needs before it starts. */
export interface Prepared {
  readonly header: JournalHeader;
  /** Absent: the run is not recorded. */
  readonly journal: Journal | undefined;
  readonly logging: LoggingServer | undefined;
  readonly loopback: LoopbackServer | undefined;
}

/** What must be there before the start. Where it throws, it leaves nothing behind. */
export function prepare(
  context: Context,
  request: DirectedRequest,
  say: Say,
  loopback: LoopbackServer | undefined,
): Prepared {
  const { settings, notes } = request;
  const startTime = context.now();
  const masker = createMasker(notes.environment, { enabled: settings.redact });
  const bound = openSocket(notes.environment, settings, say);
  try {
    const header = attemptHeader({
      ...request,
      masker,
      startTime,
      hasSecrets: findEnvironmentSecrets(notes.environment).length > 0,
      ...(bound !== undefined && { socketPath: bound.path }),
    });
    for (const { key, value } of settings.params) {
      if (masker.maskKeyValue(key, value) !== value)
        say(`the value of param ${key} looks like a secret and is stored as ***`);
    }
    if (settings.runIdFile !== undefined) writeRunId(settings.runIdFile, header.runId);
    const journal = openJournal(header, settings, notes.environment, say);
    // Nobody would ever listen: a client had better fail at once.
    if (journal !== undefined) return { header, journal, logging: bound, loopback };
    bound?.close();
    loopback?.close();
    return { header, journal, logging: undefined, loopback: undefined };
  } catch (error) {
    bound?.close();
    loopback?.close();
    throw error;
  }
}

/** The caller's environment with what child-contract.md adds and removes. */
export function commandEnvironment(
  { settings, notes, userName }: LaunchRequest,
  header: JournalHeader,
  ways: {
    readonly logPath: string;
    readonly logging: LoggingServer | undefined;
    readonly loopback: LoopbackServer | undefined;
    readonly isRunMissing: boolean;
  },
): Record<string, string> {
  const { logPath, logging, loopback, isRunMissing } = ways;
  return childEnvironment({
    env: notes.environment,
    runId: header.runId,
    isRunMissing,
    attempt: header.attempt,
    trackingUri: settings.trackingUri,
    experiment: header.experiment,
    isSampling: settings.sampling.enabled,
    pythonHook: settings.pythonHook,
    autolog: settings.autolog,
    ...(logging !== undefined && { socketPath: logging.path }),
    ...(loopback !== undefined && { endpoint: { port: loopback.port, token: loopback.token, userName } }),
    logPath,
  });
}

/** Its command line is the user's: it is not rewritten. */
function sayIgnored(command: readonly string[], say: Say): void {
  const flag = hookIgnoringFlag(command);
  if (flag !== undefined) say(`--autolog does nothing here: python ${flag} ignores PYTHONPATH`);
}

/** What the user is told of a store that cannot be used now. */
export function faultLine({ missedRunId }: Preflight, fault: string): string {
  if (missedRunId === undefined) return `the store cannot be used now, recording goes on: ${fault}`;
  return `run ${missedRunId} cannot be looked up, recording goes on as a new run below it: ${fault}`;
}

/** What the preflight said of the database need not be said again by the recorder. */
function isToldAlready(text: string, { fault }: Preflight, { trackingUri }: RunSettings): boolean {
  if (fault === undefined || !text.startsWith("the store cannot")) return false;
  const uri = parseTrackingUri(trackingUri);
  return text.includes(uri.kind === "sqlite" ? uri.path : new URL(uri.url).origin);
}

/** A file that cannot be written is a mistake that shows before the command has cost anything. */
export function writeRunId(path: string, runId: string): void {
  try {
    writeFileSync(path, `${runId}\n`);
  } catch (error) {
    throw new TrackError(`cannot write the run id: ${messageOf(error)}`, {
      exitCode: 125,
      hint: "check --run-id-file",
      cause: error,
    });
  }
}

/** One line for the user, unless `--quiet`. */
export type Say = (text: string) => void;

interface Journal {
  readonly folder: string;
  readonly logPath: string;
}

function openJournal(header: JournalHeader, settings: RunSettings, env: Environment, say: Say): Journal | undefined {
  const created = createJournalFolder(journalRoots(journalPlaces(settings.trackingUri, env)), header);
  if (created.folder !== undefined) return { folder: created.folder, logPath: `${created.folder}/log` };
  const reason = created.reasons[0] ?? "no folder";
  if (settings.strict) throw refusedStart(`no journal can be written: ${reason}`);
  say(`the run is not recorded, no journal can be written: ${reason}`);
  return undefined;
}

function openSocket(env: Environment, settings: RunSettings, say: Say): LoggingServer | undefined {
  const bases = [variable(env, "XDG_RUNTIME_DIR"), variable(env, "TMPDIR"), "/tmp"];
  const bound = bindLoggingServer(bases.filter((base) => base !== undefined));
  if (bound.server !== undefined) return bound;
  if (settings.strict) throw refusedStart(`no logging socket: ${bound.reasons[0]}`);
  say(`there is no logging socket, $TRACK_LOG still works: ${bound.reasons[0]}`);
  return undefined;
}

/** Without it the command's MLflow clients go to the store themselves, as they do where they are told to. */
export function openLoopback(
  settings: RunSettings,
  isDirect: boolean,
  say: Say,
): LoopbackServer | Promise<LoopbackServer | undefined> | undefined {
  if (isDirect) return undefined;
  const without = (error: unknown): undefined => {
    if (settings.strict) throw refusedStart(`MLflow clients cannot be served: ${messageOf(error)}`);
    say(`MLflow clients of the command are on their own, no port could be had: ${messageOf(error)}`);
  };
  try {
    const opened = bindLoopbackServer();
    return opened instanceof Promise ? opened.catch(without) : opened;
  } catch (error) {
    return without(error);
  }
}

/** What a start with `--strict` stumbles over. */
export const refusedStart = (message: string): TrackError =>
  new TrackError(message, { exitCode: 125, hint: "mend it, or leave out --strict" });
