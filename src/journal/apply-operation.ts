import type { ArtifactRepository } from "../artifacts/artifact-repository.ts";
import type { RunInfo } from "../entities/run.ts";
import type { LogBatchOperation, MetricTuple, StoreOperation, UpdateRunOperation } from "../entities/journal-entry.ts";
import type { Metric } from "../entities/metric.ts";
import { isTerminalStatus } from "../entities/run-status.ts";
import { StoreError } from "../errors.ts";
import type { TrackingStore } from "../store/tracking-store.ts";
import { withoutTurningBack } from "./attempt-guard.ts";
import { createModel } from "./create-model.ts";
import { createRun } from "./create-run.ts";
import { canMoveRuns } from "../store/run-mover.ts";
import { updateSharedRun } from "./group-status.ts";
import { joinRun } from "./join-run.ts";
import { logParamsOnce, type ParamKeeping } from "./log-params-once.ts";
import { storeSpooledArtifact } from "./spooled-artifact.ts";
import { hasCodeOf, ifNotDone } from "./replay.ts";
import { withStoreIds } from "./store-ids.ts";

/** Ids of a journal and of the store, where a server gave a run (an experiment, a model) another id than the one the command's processes know. */
export interface RunIdMap {
  toStore(runId: string): string;
  isCreated(runId: string): boolean;
  /** Whether an earlier call may have made the run without our knowing its id. */
  mayExist(runId: string): boolean;
  created(runId: string, storeRunId: string): void;
  /** The id that a run has, or would have had, in the store that the journal was first meant for; absent: it is still meant for it. */
  earlierId?(runId: string): string | undefined;
}

export interface ApplyContext {
  readonly folder: string;
  readonly openArtifacts: (place: Pick<RunInfo, "artifactUri">) => Promise<ArtifactRepository>;
  readonly runIds?: RunIdMap;
  /** Runs that were asked for before: where their artifacts lie never changes. */
  readonly knownRuns?: Map<string, RunInfo>;
  /** The same for logged models. */
  readonly knownModels?: Map<string, string>;
  /** Attempt that said it: tags and status of a run whose `track.attempt` is newer are left alone. Absent: no such check. */
  readonly guardedAttempt?: number;
  /** For params that the store has with another value. Absent: the store refuses them. */
  readonly keeping?: ParamKeeping;
}

/** Writes one operation. Applying it again changes nothing, so that a journal may be replayed. Rejects as the store does. */
export async function applyOperation(
  store: TrackingStore,
  operation: StoreOperation,
  context: ApplyContext,
): Promise<void> {
  const late = { runIds: context.runIds, isLate: context.guardedAttempt !== undefined };
  if (operation.op === "create-run") return createRun(store, operation, late);
  if (operation.op === "join-run") return joinRun(store, operation, late);
  const mapped = withStoreIds(operation, context.runIds);
  const allowed = await withoutTurningBack(store, mapped, context.guardedAttempt);
  if (allowed === undefined) return;
  if (allowed.op === "log-artifact") return storeSpooledArtifact(store, allowed, context);
  if (allowed.op === "log-batch") return logParamsOnce(store, allowed.runId, requestOf(allowed), context.keeping);
  if (isRunOperation(allowed)) return applyToRun(store, allowed);
  return isModelOperation(allowed)
    ? applyToModel(store, allowed, context.runIds)
    : applyToExperiment(store, allowed, context.runIds);
}

type PlainOperation = Exclude<
  StoreOperation,
  { readonly op: "create-run" | "join-run" | "log-artifact" | "log-batch" }
>;
type RunOperation = Extract<
  PlainOperation,
  {
    readonly op: "update-run" | "delete-tag" | "delete-run" | "restore-run" | "move-run" | "log-inputs" | "log-outputs";
  }
>;

type ModelOperation = Extract<PlainOperation, { readonly modelId: string }>;
type ExperimentOperation = Exclude<PlainOperation, RunOperation | ModelOperation>;

function isRunOperation(operation: PlainOperation): operation is RunOperation {
  return "runId" in operation;
}

function isModelOperation(operation: PlainOperation): operation is ModelOperation {
  return "modelId" in operation;
}

async function applyToRun(store: TrackingStore, operation: RunOperation): Promise<void> {
  const { runId } = operation;
  switch (operation.op) {
    case "update-run":
      return operation.share === undefined ? updateRun(store, operation) : updateSharedRun(store, operation);
    case "delete-tag":
      return ifNotDone(store.deleteTag(runId, operation.key), async () => {
        const { data } = await store.getRun(runId);
        return !data.tags.some(({ key }) => key === operation.key);
      });
    case "delete-run":
    case "restore-run": {
      const [change, stage] =
        operation.op === "delete-run"
          ? ([store.deleteRun(runId), "deleted"] as const)
          : ([store.restoreRun(runId), "active"] as const);
      return ifNotDone(change, async () => (await store.getRun(runId)).info.lifecycleStage === stage);
    }
    case "move-run":
      if (!canMoveRuns(store)) throw new StoreError("NOT_IMPLEMENTED", "this store cannot move a run");
      return store.moveRun(runId, operation.experimentId);
    case "log-inputs":
      return store.logInputs(runId, operation.datasets, operation.modelIds);
    case "log-outputs":
      return store.logOutputs(runId, operation.models);
    default:
      return unreachable(operation);
  }
}

async function updateRun(store: TrackingStore, operation: UpdateRunOperation): Promise<void> {
  const { op: _op, runId, unlessTerminal = false, status, ...changes } = operation;
  const isKept = unlessTerminal && isTerminalStatus((await store.getRun(runId)).info.status);
  await store.updateRun(runId, { ...changes, ...(status !== undefined && !isKept && { status }) });
}

async function applyToExperiment(
  store: TrackingStore,
  operation: ExperimentOperation,
  ids: RunIdMap | undefined,
): Promise<void> {
  switch (operation.op) {
    case "create-experiment": {
      const { op: _op, experimentId, ...request } = operation;
      const isThere = async () => (await store.getExperimentByName(request.name))?.lifecycleStage === "active";
      await ifNotDone(store.createExperiment(request), isThere);
      const made = experimentId === undefined ? undefined : await store.getExperimentByName(request.name);
      if (experimentId !== undefined && made !== undefined && made.experimentId !== experimentId)
        ids?.created(experimentId, made.experimentId);
      return;
    }
    case "rename-experiment":
      return store.renameExperiment(operation.experimentId, operation.name);
    case "delete-experiment":
      return ifNotDone(store.deleteExperiment(operation.experimentId), () => isStage(store, operation, "deleted"));
    case "restore-experiment":
      return ifNotDone(store.restoreExperiment(operation.experimentId), () => isStage(store, operation, "active"));
    case "set-experiment-tag":
      return store.setExperimentTag(operation.experimentId, { key: operation.key, value: operation.value });
    case "delete-experiment-tag":
      return ifNotDone(store.deleteExperimentTag(operation.experimentId, operation.key), async () => {
        const { tags } = await store.getExperiment(operation.experimentId);
        return !tags.some(({ key }) => key === operation.key);
      });
    default:
      return unreachable(operation);
  }
}

async function applyToModel(store: TrackingStore, operation: ModelOperation, ids: RunIdMap | undefined): Promise<void> {
  const { modelId } = operation;
  switch (operation.op) {
    case "create-logged-model": {
      const { op: _op, ...request } = operation;
      if (ids !== undefined) return createModel(store, request, ids);
      return ifNotDone(store.createLoggedModel(request), () => modelExists(store, modelId));
    }
    case "finalize-logged-model":
      await store.finalizeLoggedModel(modelId, operation.status);
      return;
    case "log-logged-model-params":
      return store.logLoggedModelParams(modelId, operation.params);
    case "set-logged-model-tags":
      return store.setLoggedModelTags(modelId, operation.tags);
    case "delete-logged-model-tag":
      return ifNotDone(store.deleteLoggedModelTag(modelId, operation.key), async () => {
        const { tags } = await store.getLoggedModel(modelId);
        return !tags.some(({ key }) => key === operation.key);
      });
    case "delete-logged-model":
      return ifNotDone(store.deleteLoggedModel(modelId), async () => !(await modelExists(store, modelId)));
    default:
      return unreachable(operation);
  }
}

function requestOf({ metrics = [], params = [], tags = [] }: LogBatchOperation) {
  return { metrics: metrics.map(metricOf), params, tags };
}

function metricOf([key, value, timestamp, step, about]: MetricTuple): Metric {
  return { key, value: Number(value), timestamp, step, ...about };
}

async function isStage(store: TrackingStore, of: { readonly experimentId: string }, stage: string): Promise<boolean> {
  return (await store.getExperiment(of.experimentId)).lifecycleStage === stage;
}

async function modelExists(store: TrackingStore, modelId: string): Promise<boolean> {
  try {
    await store.getLoggedModel(modelId);
    return true;
  } catch (error) {
    if (hasCodeOf(error, "RESOURCE_DOES_NOT_EXIST")) return false;
    throw error;
  }
}

function unreachable(operation: never): never {
  throw new StoreError("NOT_IMPLEMENTED", `unknown operation: ${JSON.stringify(operation)}`);
}
