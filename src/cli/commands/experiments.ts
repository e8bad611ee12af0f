import type { Experiment } from "../../entities/experiment.ts";
import type { LifecycleStage } from "../../entities/lifecycle-stage.ts";
import type { ViewType } from "../../entities/lifecycle-stage.ts";
import { experimentToJson } from "../../wire/rest-json.ts";
import type { Context } from "../context.ts";
import { findExperiment, listExperiments as listAll } from "../find-experiment.ts";
import { formatIsoTime, formatRelativeTime } from "../format-time.ts";
import type { Io } from "../io.ts";
import { openExisting, openForListing } from "../open-for-reading.ts";
import { type Column, writeTable } from "../table.ts";
import { writeJson } from "../write-json.ts";

export interface ExperimentsOptions {
  readonly viewType?: ViewType;
  readonly artifactLocation?: string;
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

/** Deletes experiments with their runs, softly. */
export async function deleteExperiments(
  context: Context,
  options: ExperimentsOptions,
  names: readonly string[],
): Promise<void> {
  await changeLifecycle(context, options, { names, stage: "deleted", done: "deleted", known: "already deleted" });
}

/** Brings experiments back with their runs. */
export async function restoreExperiments(
  context: Context,
  options: ExperimentsOptions,
  names: readonly string[],
): Promise<void> {
  await changeLifecycle(context, options, { names, stage: "active", done: "restored", known: "not deleted" });
}

interface LifecycleChange {
  readonly names: readonly string[];
  readonly stage: LifecycleStage;
  /** What is said of an experiment that was changed, and of one that was at that stage already. */
  readonly done: string;
  readonly known: string;
}

async function changeLifecycle(
  context: Context,
  options: ExperimentsOptions,
  { names, stage, done, known }: LifecycleChange,
): Promise<void> {
  await using store = await openExisting(context, "write", options.trackingUri);
  for (const { experimentId, name, lifecycleStage } of await Promise.all(
    names.map((each) => findExperiment(store, each)),
  )) {
    if (lifecycleStage === stage) {
      context.io.say(`${known}: ${name}`);
      continue;
    }
    await (stage === "deleted" ? store.deleteExperiment(experimentId) : store.restoreExperiment(experimentId));
    context.io.say(`${done}: ${name} (id ${experimentId})`);
  }
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
