import { dirname, join } from "node:path";
import {
  checkExperimentName,
  checkParam,
  checkRunTag,
  truncateParamValue,
  truncateTagValue,
} from "../../entities/validation.ts";
import { StoreError, TrackError, UsageError } from "../../errors.ts";
import { journalRoots } from "../../client/journal-folder.ts";
import { sourceTags } from "../../provenance/source-tags.ts";
import { userName } from "../../provenance/user.ts";
import type { RunOptions } from "../../settings/run-options.ts";
import { resolveRunSettings, type RunSettings } from "../../settings/run-settings.ts";
import { type Environment, isServerUri, uriBehindEndpoint, variable } from "../../settings/tracking-uri.ts";
import { messageOf } from "../../util/error-code.ts";
import { findRecordingJournal, readJson } from "../../recorder/dead-journals.ts";
import { monotonicMs } from "../../util/monotonic.ts";
import { readPlace } from "../../util/proc.ts";
import { journalFiles, type JournalHeader } from "../../wire/journal-header.ts";
import { runLiveness } from "../../wire/run-processes.ts";
import { becomeCommand } from "../../wrapper/become-command.ts";
import { type LaunchNotes, readLaunchNotes } from "../../wrapper/launch-notes.ts";
import type { Context } from "../context.ts";
import { decideDirect } from "../launch/direct.ts";
import { journalPlaces } from "../launch/journal-places.ts";
import type { LaunchRequest, LaunchServer } from "../launch/launch-request.ts";
import { launchRun } from "../launch/launch-run.ts";
import type { ClusterStart, clusterStart } from "../launch/cluster-start.ts";
import { preflight, type Preflight, type PreflightRequest, serverWaitMs } from "../launch/preflight.ts";
import { preflightNow } from "../launch/preflight-now.ts";
import type { PreparedSources, prepareSources } from "../launch/prepare-sources.ts";
import { recordableOptions } from "../launch/recorded-options.ts";

/** Runs a command and records it; the exit code is the command's own. */
export async function run(context: Context, options: RunOptions, command: readonly string[]): Promise<number> {
  return await runIn(context, { options, command, force: false });
}

export interface RunRequest {
  readonly options: RunOptions;
  readonly command: readonly string[];
  readonly kind?: "shell";
  /** Absent: here, even if this folder has been deleted. */
  readonly cwd?: string;
  /** The run of `options.runId`, where it has been looked up already. */
  readonly known?: Preflight;
  /** Attach even to a run that seems to be alive. */
  readonly force: boolean;
}

/** The same in another folder, as `resume` needs it. */
export async function runIn(context: Context, request: RunRequest): Promise<number> {
  const { command, cwd } = request;
  if (command.length === 0) {
    throw new UsageError("no command to run", { exitCode: 125, hint: "track run -- python train.py" });
  }
  const notes = readLaunchNotes(context.env);
  try {
    return await launchRun(context, await planLaunch(context, request, notes));
  } catch (error) {
    const { strict = context.config?.options.strict } = request.options;
    if (error instanceof TrackError || strict === true) throw error;
    // We lack something (descriptors, memory) or have a bug, and the command was not started: it runs as if we were not there.
    context.io.say(`the command runs unrecorded: ${messageOf(error)}`);
    if (cwd !== undefined) process.chdir(cwd);
    becomeCommand({ argv: command, env: notes.environment });
    throw error;
  }
}

/** Merges the settings and looks for mistakes; throws for those (exit code 125). Nothing is written yet. */
export async function planLaunch(context: Context, request: RunRequest, notes: LaunchNotes): Promise<LaunchRequest> {
  const { options: typed, command, cwd, known } = request;
  const here = currentFolder(context, notes.environment);
  const options = await withFiles(context, typed, notes.environment);
  const given = {
    ...resolveRunSettings(options, notes.environment, here),
    isExperimentGiven: typed.experimentName !== undefined || typed.experimentId !== undefined,
  };
  const env = notes.environment;
  const start = request.kind === "shell" ? alone(given) : await clusterOf(given, { options, command, env });
  const sources = await askedSources(start.settings, { command, cwd: cwd ?? here, env: notes.environment });
  const { settings } = sources;
  checkNames(settings);
  const begunAt = monotonicMs();
  const server = await openServer(context, { typed, settings, command }, notes.environment);
  const isParentGiven = options.parentRunId !== undefined;
  const asked = {
    settings,
    isParentGiven,
    ...(known !== undefined && { known }),
    ...(server !== undefined && { access: server.access }),
  };
  const found = await lookBefore(asked, () => start.preflight(asked, context));
  if (!request.force) refuseLiveRun(found, journalRoots(journalPlaces(settings.trackingUri, notes.environment)));
  return {
    settings,
    preflight: found,
    command,
    ...(request.kind !== undefined && { kind: request.kind }),
    cwd: cwd ?? here,
    isElsewhere: cwd !== undefined,
    notes,
    userName: userName(notes.environment),
    sourceTags: sourceTags(command),
    recordedOptions: recordableOptions(typed),
    cluster: start.cluster,
    ...(sources.tensorboard !== undefined && { tensorboard: sources.tensorboard }),
    ...(server !== undefined && {
      server: { ...server, runIdWaitMs: Math.max(0, serverWaitMs - (monotonicMs() - begunAt)) },
    }),
  };
}

/** Most runs are started by no scheduler, and load nothing for it. */
async function clusterOf(settings: RunSettings, start: Parameters<typeof clusterStart>[1]): Promise<ClusterStart> {
  const { resumeKey, rank = "auto" } = start.options;
  const names = ["SLURM_JOB_ID", "WORLD_SIZE", "OMPI_COMM_WORLD_SIZE", "PMI_SIZE"];
  const isNeeded =
    resumeKey !== undefined || typeof rank === "number" || names.some((name) => start.env[name] !== undefined);
  if (isNeeded) return (await import("../launch/cluster-start.ts")).clusterStart(settings, start);
  return alone(settings);
}

/** A run that is no scheduler's. Several of a shell's would have one resume key, and a shell of each rank has a run of its own. */
function alone(settings: RunSettings): ClusterStart {
  return { cluster: {}, settings, preflight: async (asked) => preflightNow(asked) ?? (await preflight(asked)) };
}

async function lookBefore({ settings }: PreflightRequest, look: () => Promise<Preflight>): Promise<Preflight> {
  return settings.offline ? withoutServer(settings) : await look();
}

/** Nothing is looked up. Throws exit code 125 where something would have to be. */
function withoutServer(settings: RunSettings): Preflight {
  const refuse = (message: string, hint: string): never => {
    throw new UsageError(message, { exitCode: 125, hint });
  };
  if (!isServerUri(settings.trackingUri))
    refuse("--offline is for tracking servers", "a database needs none: leave it out");
  if (settings.direct) refuse("--offline and --direct exclude each other", "give one of the two");
  if (settings.runId !== undefined)
    refuse("a run cannot be continued --offline: its attempts are unknown", "leave it out");
  return { experiment: settings.experiment };
}

/** Most runs ask for nothing that programs show by themselves, and load nothing for it. */
async function askedSources(
  settings: RunSettings,
  start: Parameters<typeof prepareSources>[1],
): Promise<PreparedSources> {
  const isAsked = settings.scrape !== undefined || settings.tensorboard.length > 0 || settings.paramsFromArgs;
  return isAsked ? (await import("../launch/prepare-sources.ts")).prepareSources(settings, start) : { settings };
}

/** How a tracking server is reached, and the recorder's environment for it; `undefined` for any other store. */
async function openServer(
  context: Context,
  start: { readonly typed: RunOptions; readonly settings: RunSettings; readonly command: readonly string[] },
  env: Readonly<Record<string, string>>,
): Promise<Omit<LaunchServer, "runIdWaitMs"> | undefined> {
  const { typed, settings, command } = start;
  if (!isServerUri(settings.trackingUri)) return undefined;
  const { resolveServerAccess, withTypedUri } = await import("../../settings/server-access.ts");
  const { accessRemarks } = await import("../server-access.ts");
  const trust = context.serverTrust(typed.trackingUri);
  const isUntrusted = trust.untrustedSource !== undefined || isOuterUntrusted(env);
  const recorderEnv = withTypedUri(env, trust.typedUri);
  const access = resolveServerAccess(settings.trackingUri, recorderEnv, { isUntrusted });
  const remarks = accessRemarks(access, trust);
  if (access.isWithheld === true && decideDirect(settings, command).isDirect) {
    // MLflow in the command would send what we do not.
    throw new UsageError(remarks.at(-1) ?? "", {
      exitCode: 125,
      hint: "name the server yourself: MLFLOW_TRACKING_URI",
    });
  }
  if (!settings.quiet) for (const text of remarks) context.io.say(text);
  return { access, recorderEnv, isUntrusted };
}

/** What could not be said through an outer run goes to that run's server later, which is trusted no more for it. */
function isOuterUntrusted(env: Environment): boolean {
  const log = variable(env, "TRACK_LOG");
  if (log === undefined || uriBehindEndpoint(env) === undefined) return false;
  const header = readJson(join(dirname(log), journalFiles.header)) as Partial<JournalHeader> | undefined;
  return header?.isUntrusted === true;
}

async function withFiles(context: Context, typed: RunOptions, env: Environment): Promise<RunOptions> {
  if (context.config === undefined) return typed;
  const { withConfig } = await import("../../settings/with-config.ts");
  return withConfig(typed, context.config.options, env);
}

/** A command may well run in a folder that has been deleted; its old name is what can be recorded then. */
function currentFolder(context: Context, env: Environment): string {
  try {
    return context.cwd;
  } catch (error) {
    if (!(error instanceof TrackError)) throw error;
    return variable(env, "PWD") ?? "/";
  }
}

/** Names that MLflow refuses are found before the command costs anything. Values that are too long are cut, as MLflow does. */
function checkNames(settings: RunSettings): void {
  try {
    if ("experimentName" in settings.experiment) checkExperimentName(settings.experiment.experimentName);
    for (const { key, value } of settings.params) checkParam({ key, value: truncateParamValue(value).value });
    for (const { key, value } of settings.tags) checkRunTag({ key, value: truncateTagValue(value).value });
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    throw new UsageError(error.message, { exitCode: 125, hint: "track run --help", cause: error });
  }
}

/** In its first second a run has no tag yet that tells its processes: its journal does. */
function refuseLiveRun({ run: found }: Preflight, roots: readonly string[]): void {
  if (found === undefined || found.info.status !== "RUNNING") return;
  const here = readPlace();
  if (runLiveness(found, here) !== "alive" && findRecordingJournal(roots, here, found.info.runId) === undefined) return;
  throw new UsageError(`run ${found.info.runId} is alive right now`, {
    exitCode: 125,
    hint: `track resume --force ${found.info.runId.slice(0, 8)}, or wait until it has ended`,
  });
}
