import type { ExperimentReference } from "../../entities/journal-entry.ts";
import type { Run } from "../../entities/run.ts";
import { isTransient, StoreError, TrackError, UsageError } from "../../errors.ts";
import type { RunSettings } from "../../settings/run-settings.ts";
import { parseTrackingUri } from "../../store/tracking-uri.ts";
import type { TrackingStore } from "../../store/tracking-store.ts";
import { isThere } from "../../util/files.ts";

/** What could be looked up before the start; empty where the store could not be asked. */
export interface Preflight {
  /** The run that is attached to. */
  readonly run?: Run;
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
  readonly storeFolderMustExist?: boolean;
}

/**
 * Looks for mistakes of the user's before the command starts, read-only and without waiting for a lock.
 * Throws exit code 125 for a mistake; what cannot be answered counts as a fault of the surroundings.
 */
export async function preflight(request: PreflightRequest): Promise<Preflight> {
  const { settings } = request;
  const uri = asMistake(() => parseTrackingUri(settings.trackingUri));
  if (uri.kind === "rest") {
    throw mistake(new TrackError("tracking servers are not supported yet", { hint: "use sqlite:///mlflow.db" }));
  }
  if (!isThere(uri.path)) return preflightWithoutStore(request);
  try {
    const { openTrackingStore } = await import("../../store/open-store.ts");
    await using store = await openTrackingStore(settings.trackingUri, { mode: "read", busyTimeoutMs: 0 });
    return await lookUp(store, request);
  } catch (error) {
    if (error instanceof StoreError && !isTransient(error)) throw mistake(error);
    if (error instanceof TrackError && !isTransient(error)) throw error;
    return withFault(settings, error instanceof Error ? error.message : String(error));
  }
}

function preflightWithoutStore({ settings, isParentGiven }: PreflightRequest): Preflight {
  const missing =
    settings.runId !== undefined
      ? `run ${settings.runId}`
      : isParentGiven
        ? `parent run ${settings.parentRunId}`
        : "experimentId" in settings.experiment && settings.experiment.experimentId !== "0"
          ? `experiment ${settings.experiment.experimentId}`
          : undefined;
  if (missing !== undefined) {
    throw new UsageError(`${missing} does not exist: there is no database at ${settings.trackingUri}`, {
      exitCode: 125,
      hint: "check --tracking-uri, MLFLOW_TRACKING_URI and the current folder",
    });
  }
  return { experiment: settings.experiment };
}

async function lookUp(store: TrackingStore, { settings, isParentGiven }: PreflightRequest): Promise<Preflight> {
  const run = settings.runId === undefined ? undefined : await findAttached(store, settings.runId);
  if (settings.parentRunId !== undefined && isParentGiven) await checkParent(store, settings.parentRunId);
  // On resume the experiment is the run's own, and contradictory settings are harmless (contract 1.3).
  if (run !== undefined) {
    const { name } = await store.getExperiment(run.info.experimentId);
    return { run, experiment: { experimentId: run.info.experimentId }, experimentName: name };
  }
  return await findExperiment(store, settings);
}

async function findAttached(store: TrackingStore, runId: string): Promise<Run> {
  const run = await store.getRun(runId);
  if (run.info.lifecycleStage === "deleted") {
    throw new UsageError(`run ${runId} is deleted`, { exitCode: 125, hint: `track restore ${runId}` });
  }
  return run;
}

async function checkParent(store: TrackingStore, runId: string): Promise<void> {
  const parent = await store.getRun(runId);
  if (parent.info.lifecycleStage === "active") return;
  throw new UsageError(`parent run ${runId} is deleted`, { exitCode: 125, hint: `track restore ${runId}` });
}

async function findExperiment(store: TrackingStore, settings: RunSettings): Promise<Preflight> {
  const { experiment } = settings;
  const found =
    "experimentId" in experiment
      ? await store.getExperiment(experiment.experimentId)
      : await store.getExperimentByName(experiment.experimentName);
  if (found === undefined) return { experiment };
  if (settings.expectedExperimentId !== undefined && settings.expectedExperimentId !== found.experimentId) {
    throw new UsageError(
      `experiment ${found.name} has the id ${found.experimentId}, not ${settings.expectedExperimentId}`,
      { exitCode: 125, hint: "give the name or the id, not both" },
    );
  }
  if (found.lifecycleStage === "deleted") {
    throw new UsageError(`experiment ${found.name} is deleted`, {
      exitCode: 125,
      hint: `track experiments restore ${found.experimentId}, or choose another with -e`,
    });
  }
  return { experiment: { experimentId: found.experimentId }, experimentName: found.name };
}

function withFault(settings: RunSettings, fault: string): Preflight {
  if (settings.strict) throw new TrackError(`the store cannot be used: ${fault}`, { exitCode: 125 });
  return { experiment: settings.experiment, fault };
}

function asMistake<Value>(action: () => Value): Value {
  try {
    return action();
  } catch (error) {
    if (error instanceof TrackError) throw mistake(error);
    throw error;
  }
}

const mistake = (error: TrackError): UsageError =>
  new UsageError(error.message, { exitCode: 125, cause: error, ...(error.hint !== undefined && { hint: error.hint }) });
