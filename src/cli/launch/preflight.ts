import { accessSync, constants } from "node:fs";
import { dirname } from "node:path";
import type { Experiment } from "../../entities/experiment.ts";
import type { ExperimentReference } from "../../entities/journal-entry.ts";
import type { Run } from "../../entities/run.ts";
import type { ServerAccess } from "../../entities/server-access.ts";
import { isTransient, StoreError, TrackError, UsageError } from "../../errors.ts";
import type { RunSettings } from "../../settings/run-settings.ts";
import { parseTrackingUri } from "../../store/tracking-uri.ts";
import type { TrackingStore } from "../../store/tracking-store.ts";
import { messageOf } from "../../util/error-code.ts";
import { isThere } from "../../util/files.ts";

/** What could be looked up before the start; empty where the store could not be asked. */
export interface Preflight {
  /** The run that is attached to. */
  readonly run?: Run;
  /** The run that the first rank has made, for a rank that joins it. */
  readonly joined?: Run;
  /** The run that was to be attached to and could not be looked up: nobody can say which attempt this would be. */
  readonly missedRunId?: string;
  /** With the id, where the experiment is there already. */
  readonly experiment: ExperimentReference;
  readonly experimentName?: string;
  /** A fault of the surroundings, one line. */
  readonly fault?: string;
}

export interface PreflightRequest {
  readonly settings: RunSettings;
  /** Ids that the user named himself must be there; what an outer run handed down may not be stored yet. */
  readonly isParentGiven: boolean;
  /** The run of `settings.runId`, where it has been looked up already. */
  readonly known?: Preflight;
  /** How a tracking server is reached. */
  readonly access?: ServerAccess;
}

/** A writer keeps readers out for some ms at a time, which is no fault worth a word. */
const lockWaitMs = 50;
/** A lock must not make a run another one, nor a `--strict` start fail for nothing. */
const neededLockWaitMs = 2000;

/** A server that is slower must not hold up the command. */
export const serverWaitMs = 2000;

const uriHint = "check --tracking-uri, MLFLOW_TRACKING_URI and the current folder";

/**
 * Looks for mistakes of the user's before the command starts, read-only and hardly waiting for a lock.
 * Throws exit code 125 for a mistake; what cannot be answered counts as a fault of the surroundings.
 */
export async function preflight(request: PreflightRequest): Promise<Preflight> {
  const { settings } = request;
  const uri = parseUri(settings.trackingUri);
  const found = request.known ?? (await (uri.kind === "sqlite" ? lookIntoFile(uri.path, request) : askServer(request)));
  const fault = found.fault ?? (uri.kind === "sqlite" ? writeFault(uri.path) : undefined);
  if (fault === undefined) return found;
  if (settings.strict) {
    throw new TrackError(`the store cannot be used: ${fault}`, {
      exitCode: 125,
      hint: "mend it, or leave out --strict",
    });
  }
  return { ...found, fault };
}

function parseUri(trackingUri: string): ReturnType<typeof parseTrackingUri> {
  try {
    return parseTrackingUri(trackingUri);
  } catch (error) {
    if (error instanceof TrackError) throw mistake(error.message, error.hint ?? uriHint, error);
    throw error;
  }
}

/** Always asked, since refused credentials are a mistake; one try, 2 s at most for all of it. */
async function askServer(request: PreflightRequest): Promise<Preflight> {
  const { settings, access } = request;
  const { openTrackingStore } = await import("../../store/open-store.ts");
  const hurried = access && { ...access, timeoutMs: serverWaitMs, retry: { ...access.retry, maxRetries: 0 } };
  const store = await openTrackingStore(settings.trackingUri, { mode: "read", ...(hurried && { access: hurried }) });
  const timer = setTimeout(() => store.abort?.(), serverWaitMs);
  try {
    return await lookUp(store, request);
  } catch (error) {
    return unanswered(error, settings);
  } finally {
    clearTimeout(timer);
    await store[Symbol.asyncDispose]();
  }
}

async function lookIntoFile(path: string, request: PreflightRequest): Promise<Preflight> {
  return isThere(path) ? await lookInto(path, request) : withoutStore(path, request);
}

async function lookInto(path: string, request: PreflightRequest): Promise<Preflight> {
  const { settings } = request;
  let store: TrackingStore;
  try {
    const { openTrackingStore } = await import("../../store/open-store.ts");
    const isNeeded = settings.runId !== undefined || settings.strict;
    store = await openTrackingStore(settings.trackingUri, {
      mode: "read",
      busyTimeoutMs: isNeeded ? neededLockWaitMs : lockWaitMs,
    });
  } catch (error) {
    // Empty until whoever is making it right now is done.
    if (hasErrorCode(error, "RESOURCE_DOES_NOT_EXIST")) return withoutStore(path, request);
    return unanswered(error, settings);
  }
  try {
    return await lookUp(store, request);
  } catch (error) {
    return unanswered(error, settings);
  } finally {
    await store[Symbol.asyncDispose]();
  }
}

/** Only what the store itself refuses is a mistake; a bug of ours is not, nor is a chunk that could not be loaded. */
function unanswered(error: unknown, settings: RunSettings): Preflight {
  if (error instanceof UsageError) throw error;
  if (hasErrorCode(error, "INVALID_PARAMETER_VALUE") || isRefusedCredentials(error)) {
    throw mistake(messageOf(error), (error instanceof TrackError ? error.hint : undefined) ?? uriHint, error);
  }
  return {
    experiment: settings.experiment,
    fault: messageOf(error),
    ...(settings.runId !== undefined && { missedRunId: settings.runId }),
  };
}

/** Nothing is stored yet: whatever was named by an id is missing. */
export function withoutStore(path: string, { settings, isParentGiven }: PreflightRequest): Preflight {
  const missing =
    settings.runId !== undefined
      ? `run ${settings.runId}`
      : isParentGiven
        ? `parent run ${settings.parentRunId}`
        : "experimentId" in settings.experiment && settings.experiment.experimentId !== "0"
          ? `experiment ${settings.experiment.experimentId}`
          : undefined;
  if (missing === undefined) return { experiment: settings.experiment };
  throw mistake(`${missing} does not exist: nothing is in the database yet: ${path}`, uriHint);
}

async function lookUp(store: TrackingStore, { settings, isParentGiven }: PreflightRequest): Promise<Preflight> {
  const { runId, parentRunId } = settings;
  const run = runId === undefined ? undefined : await ask(() => store.getRun(runId), `run ${runId}`);
  if (run?.info.lifecycleStage === "deleted") throw deletedRun(run.info.runId);
  if (parentRunId !== undefined && isParentGiven) {
    const parent = await ask(() => store.getRun(parentRunId), `parent run ${parentRunId}`);
    if (parent.info.lifecycleStage === "deleted") throw deletedRun(parentRunId, "parent run");
  }
  return run === undefined ? await findExperiment(store, settings) : await withExperiment(store, run);
}

/** On resume the experiment is the run's own, and contradictory settings are harmless (contract 1.3). */
export async function withExperiment(store: TrackingStore, run: Run): Promise<Preflight> {
  const { experimentId, name } = await store.getExperiment(run.info.experimentId);
  return { run, experiment: { experimentId }, experimentName: name };
}

async function findExperiment(store: TrackingStore, settings: RunSettings): Promise<Preflight> {
  const { experiment } = settings;
  const found =
    "experimentId" in experiment
      ? await ask(() => store.getExperiment(experiment.experimentId), `experiment ${experiment.experimentId}`)
      : await store.getExperimentByName(experiment.experimentName);
  return judgeExperiment(found, settings);
}

/** What an experiment, or that there is none of that name, means for the start. Throws exit code 125 for a mistake. */
export function judgeExperiment(found: Experiment | undefined, settings: RunSettings): Preflight {
  if (found === undefined) return { experiment: settings.experiment };
  if (settings.expectedExperimentId !== undefined && settings.expectedExperimentId !== found.experimentId) {
    throw mistake(
      `experiment ${found.name} has the id ${found.experimentId}, not ${settings.expectedExperimentId}`,
      "give the name or the id, not both",
    );
  }
  if (found.lifecycleStage === "deleted") {
    const hint = `track experiments restore ${found.experimentId}, or choose another with -e`;
    throw mistake(`experiment ${found.name} is deleted`, hint);
  }
  return { experiment: { experimentId: found.experimentId }, experimentName: found.name };
}

/** An id that the user named: the store's refusal in his words. */
async function ask<Value>(get: () => Promise<Value>, what: string): Promise<Value> {
  try {
    return await get();
  } catch (error) {
    if (!(error instanceof StoreError) || isTransient(error) || isRefusedCredentials(error)) throw error;
    const hint = what.startsWith("experiment")
      ? "track experiments ls --all shows the ids"
      : "track ls --all shows the ids; they are given whole here";
    const isMissing = error.errorCode === "RESOURCE_DOES_NOT_EXIST";
    throw mistake(isMissing ? `${what} does not exist` : error.message, hint, error);
  }
}

/** What would keep the recorder from writing the database, as far as access(2) tells; `undefined` where nothing does. */
export function writeFault(path: string): string | undefined {
  try {
    if (isThere(path)) accessSync(path, constants.W_OK);
  } catch {
    return `the database is read-only: ${path}`;
  }
  // SQLite needs its journal beside the database.
  const folder = existingFolder(path);
  try {
    accessSync(`${folder}/.`, constants.W_OK | constants.X_OK);
    return undefined;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOTDIR") {
      throw mistake(`not a database: ${path} lies below something that is not a folder`, uriHint, error);
    }
    return `its folder cannot be written: ${path}`;
  }
}

function existingFolder(path: string): string {
  const folder = dirname(path);
  return folder === path || isThere(folder) ? folder : existingFolder(folder);
}

const hasErrorCode = (error: unknown, code: string): boolean => error instanceof StoreError && error.errorCode === code;

const isRefusedCredentials = (error: unknown): boolean =>
  hasErrorCode(error, "UNAUTHENTICATED") || hasErrorCode(error, "PERMISSION_DENIED");

/** A run that was named and must be restored before it can be. */
export const deletedRun = (runId: string, what = "run"): UsageError =>
  mistake(`${what} ${runId} is deleted`, `track restore ${runId}`);

const mistake = (message: string, hint: string, cause?: unknown): UsageError =>
  new UsageError(message, { exitCode: 125, hint, cause });
