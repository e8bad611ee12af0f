import { mlflowTags, trackTags } from "../entities/tag-keys.ts";
import type { Tag } from "../entities/tag.ts";
import type { Run } from "../entities/run.ts";
import { invalidParameter, StoreError } from "../errors.ts";
import type { TrackingStore } from "../store/tracking-store.ts";
import { toTags } from "./argument-checks.ts";
import { ActiveRun } from "./active-run.ts";
import { contextTags } from "./context-tags.ts";
import { chosenExperimentId, currentExperimentId } from "./experiments.ts";
import { environment, read } from "./environment.ts";
import { flushLines, openSession } from "./session.ts";
import type { CheckedRunOptions } from "./run-options.ts";
import { userName } from "./user-name.ts";

/** Resumes or creates the run, in the order of MLflow's `start_run` (contract 1.2). `parent`: the run that is active. */
export async function openRun(options: CheckedRunOptions, parent: ActiveRun | undefined): Promise<ActiveRun> {
  const session = await openSession();
  const { store } = session;
  const inherited = read("MLFLOW_RUN_ID");
  const runId = options.runId ?? inherited;
  // MLflow forgets it before anything is asked of the store, so that a failure is not met a second time.
  if (options.runId === undefined && inherited !== undefined) delete environment["MLFLOW_RUN_ID"];
  // What was said by the socket comes before what is asked here.
  await flushLines(session.lines, session.barrier);
  const run = runId === undefined ? await createRun(store, options, parent) : await resumeRun(store, runId, options);
  const active = new ActiveRun(session, run, runId === undefined);
  if (isSampled(options)) ActiveRun.logOf(active).startSampling(run.data.metrics);
  return active;
}

/** A variable that is neither true nor false is `track run`'s to complain of. */
function isSampled({ logSystemMetrics }: CheckedRunOptions): boolean {
  return logSystemMetrics ?? /^(?:true|1)$/iu.test(read("MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING") ?? "");
}

const endTags = new Set<string>([trackTags.exitCode, trackTags.signal, trackTags.endReason]);

async function resumeRun(store: TrackingStore, runId: string, options: CheckedRunOptions): Promise<Run> {
  const { info, data } = await store.getRun(runId);
  const chosen = chosenExperimentId();
  if (chosen !== undefined && chosen !== info.experimentId) {
    throw new StoreError(
      "INTERNAL_ERROR",
      `Cannot start run with ID ${runId} because active experiment ID does not match environment run ID. ` +
        "Make sure that setExperiment() chose the experiment of that run, or leave it out",
    );
  }
  if (info.lifecycleStage === "deleted") {
    throw new StoreError("INTERNAL_ERROR", `Cannot start run with ID ${runId} because it is in the deleted state.`);
  }
  await store.updateRun(runId, {
    status: "RUNNING",
    ...(info.endTime !== undefined && { endTime: info.endTime }),
    ...(options.runName !== undefined && { runName: options.runName }),
  });
  // They tell of an end that it has no longer.
  const ended = data.tags.filter(({ key }) => endTags.has(key));
  for (const { key } of ended) await store.deleteTag(runId, key);
  const tags = givenTags(options);
  if (tags.length > 0) await store.logBatch(runId, { tags });
  return await store.getRun(runId);
}

async function createRun(
  store: TrackingStore,
  options: CheckedRunOptions,
  parent: ActiveRun | undefined,
): Promise<Run> {
  const parentRunId = await findParent(store, options.parentRunId, parent);
  const experimentId = options.experimentId ?? (await currentExperimentId(store));
  const tags = new Map(Object.entries(contextTags()));
  for (const { key, value } of givenTags(options)) tags.set(key, value);
  if (parentRunId !== undefined) tags.set(mlflowTags.parentRunId, parentRunId);
  if (options.runName !== undefined) tags.set(mlflowTags.runName, options.runName);
  return await store.createRun({
    experimentId,
    userId: tags.get(mlflowTags.user) ?? userName(),
    startTime: Date.now(),
    runName: options.runName ?? "",
    tags: Array.from(tags, ([key, value]) => ({ key, value })),
  });
}

async function findParent(
  store: TrackingStore,
  given: string | undefined,
  active: ActiveRun | undefined,
): Promise<string | undefined> {
  const activeId = active?.info.runId;
  if (given === undefined) return activeId;
  if (activeId !== undefined && activeId !== given) {
    throw new StoreError(
      "INTERNAL_ERROR",
      `Current run with UUID ${activeId} does not match the specified parentRunId ${given}. To start a new nested run ` +
        `under the parent run with UUID ${given}, first end the current run with endRun().`,
    );
  }
  const { info } = await store.getRun(given);
  if (info.lifecycleStage !== "deleted") return given;
  throw new StoreError(
    "INTERNAL_ERROR",
    `Cannot start run under parent run with ID ${given} because it is in the deleted state.`,
  );
}

function givenTags({ tags = {}, description }: CheckedRunOptions): readonly Tag[] {
  if (description === undefined || description === "") return toTags(tags);
  if (mlflowTags.note in tags) {
    throw invalidParameter(
      `Description is already set via the tag ${mlflowTags.note} in tags. Remove the key ${mlflowTags.note} from the ` +
        "tags or omit the description.",
    );
  }
  return toTags({ ...tags, [mlflowTags.note]: description });
}
