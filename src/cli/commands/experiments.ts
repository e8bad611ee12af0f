import type { Experiment } from "../../entities/experiment.ts";
import type { ViewType } from "../../entities/lifecycle-stage.ts";
import { limits } from "../../entities/limits.ts";
import type { Run } from "../../entities/run.ts";
import type { ExperimentStore, RunStore } from "../../store/tracking-store.ts";
import { experimentToJson } from "../../wire/rest-json.ts";
import type { Context } from "../context.ts";
import { findExperiment, listExperiments as listAll } from "../find-experiment.ts";
import { formatIsoTime, formatRelativeTime } from "../format-time.ts";
import type { Io } from "../io.ts";
import { openExisting, openForListing } from "../open-for-reading.ts";
import { refuseLiveRuns } from "../run-liveness.ts";
import { type Column, writeTable } from "../table.ts";
import { writeJson } from "../write-json.ts";

export interface ExperimentsOptions {
  readonly viewType?: ViewType;
  readonly artifactLocation?: string;
  /** Delete also what holds runs that are alive. */
  readonly force?: boolean;
  readonly json?: boolean;
  readonly trackingUri?: string;
}

/** Prints the experiments, the newest first. */
export async function listExperiments(context: Context, options: ExperimentsOptions): Promise<void> {
  await using store = await openForListing(context, options.trackingUri);
  const experiments = store === undefined ? [] : await listAll(store, options.viewType ?? "ACTIVE_ONLY");
  if (options.json === true) writeJson(context.io, { experiments: experiments.map(experimentToJson) });
  else writeTable(context.io, columnsFor(context.io, context.now()), experiments);
}

/** Creates an experiment, and the database where there is none; prints the new id. */
export async function createExperiment(context: Context, options: ExperimentsOptions, name: string): Promise<void> {
  await using store = await context.openStore("write", options.trackingUri);
  const { artifactLocation } = options;
  const experimentId = await store.createExperiment({
    name,
    ...(artifactLocation !== undefined && { artifactLocation }),
  });
  context.io.out(`${experimentId}\n`);
}

export async function renameExperiment(
  context: Context,
  options: ExperimentsOptions,
  change: { readonly experiment: string; readonly name: string },
): Promise<void> {
  await using store = await openExisting(context, "write", options.trackingUri);
  const experiment = await findExperiment(store, change.experiment);
  await store.renameExperiment(experiment.experimentId, change.name);
  context.io.say(`renamed: ${experiment.name} is now ${change.name}`);
}

/** Deletes experiments with their runs, softly. One that is unknown, or holds a run that is alive, leaves all as they are. */
export async function deleteExperiments(
  context: Context,
  options: ExperimentsOptions,
  names: readonly string[],
): Promise<void> {
  await using store = await openExisting(context, "write", options.trackingUri);
  const experiments = await findEach(store, names);
  if (options.force !== true) refuseLiveRuns(context, await findRunning(store, experiments), options.trackingUri);
  for (const { experimentId, name, lifecycleStage } of experiments) {
    if (lifecycleStage === "deleted") {
      context.io.say(`already deleted: ${name}`);
      continue;
    }
    await store.deleteExperiment(experimentId);
    context.io.say(`deleted: ${name} (id ${experimentId})`);
  }
}

/** Brings experiments back with their runs. */
export async function restoreExperiments(
  context: Context,
  options: ExperimentsOptions,
  names: readonly string[],
): Promise<void> {
  await using store = await openExisting(context, "write", options.trackingUri);
  for (const { experimentId, name, lifecycleStage } of await findEach(store, names)) {
    if (lifecycleStage === "active") {
      context.io.say(`not deleted: ${name}`);
      continue;
    }
    await store.restoreExperiment(experimentId);
    context.io.say(`restored: ${name} (id ${experimentId})`);
  }
}

const findEach = (store: ExperimentStore, names: readonly string[]): Promise<readonly Experiment[]> =>
  Promise.all(names.map((name) => findExperiment(store, name)));

async function findRunning(store: RunStore, experiments: readonly Experiment[]): Promise<readonly Run[]> {
  const experimentIds = experiments
    .filter(({ lifecycleStage }) => lifecycleStage === "active")
    .map(({ experimentId }) => experimentId);
  if (experimentIds.length === 0) return [];
  const filter = "attributes.status = 'RUNNING'";
  return (await store.searchRuns({ experimentIds, filter, maxResults: limits.maxSearchResults })).items;
}

function columnsFor(io: Io, now: number): readonly Column<Experiment>[] {
  const showTime = (time: number | undefined) => {
    if (time === undefined) return "";
    return io.isTerminal ? formatRelativeTime(time, now) : formatIsoTime(time);
  };
  return [
    { title: "ID", cell: (experiment) => experiment.experimentId },
    { title: "NAME", cell: (experiment) => experiment.name, minWidth: 10 },
    { title: "STAGE", cell: (experiment) => experiment.lifecycleStage, dropOrder: 1 },
    { title: "CREATED", cell: (experiment) => showTime(experiment.creationTime), dropOrder: 2 },
    { title: "ARTIFACTS", cell: (experiment) => experiment.artifactLocation, minWidth: 12, dropOrder: 3 },
  ];
}
