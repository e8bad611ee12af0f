import type { Run } from "../../entities/run.ts";
import { limits } from "../../entities/limits.ts";
import { UsageError } from "../../errors.ts";
import { hasMetricSummaries, type MetricSummary } from "../../store/metric-summaries.ts";
import type { TrackingStore } from "../../store/tracking-store.ts";
import { runToJson } from "../../wire/rest-json.ts";
import type { Context } from "../context.ts";
import { endAllLostRuns } from "../end-lost-runs.ts";
import { findRun } from "../find-run.ts";
import type { WatchOptions } from "../live-view.ts";
import { openExisting } from "../open-for-reading.ts";
import { listRunArtifacts } from "../run-artifacts.ts";
import { readChildren } from "../run-children.ts";
import { type RunDetails, writeRunPage } from "../run-page.ts";
import { writeRunRows } from "../run-rows.ts";
import { writeJson } from "../write-json.ts";

export interface ShowOptions extends WatchOptions {
  /** Key of the metric that the children are sorted by, the best first. */
  readonly sort?: string;
  /** Which way is better; absent: judged by the metric's name. */
  readonly isDescending?: boolean;
  readonly json?: boolean;
  readonly trackingUri?: string;
}

const sparklineLength = 24;
/** On a terminal; a pipe gets as many as a store gives at once. */
const shownChildren = 50;

/** Prints everything about one run: a page on a terminal, one tab-separated line for each fact in a pipe. `--watch` goes on until it is ended. */
export async function show(context: Context, options: ShowOptions, name: string): Promise<number | void> {
  if (options.isDescending !== undefined && options.sort === undefined) {
    throw new UsageError("--asc and --desc are about --sort", { hint: "track show <run> --sort <metric> --asc" });
  }
  if (options.watch !== true) return void (await draw(context, options, name));
  const { watchLive } = await import("../live-view.ts");
  // `@last` stays the run that it was when the watching began.
  let runId = name;
  return watchLive(context, options, async (live) => {
    runId = await draw(live, options, runId);
  });
}

async function draw(context: Context, options: ShowOptions, name: string): Promise<string> {
  await using store = await openExisting(context, "read", options.trackingUri);
  await endAllLostRuns(context, store, options.trackingUri);
  const run = await findRun(store, name);
  if (options.json === true) writeJson(context.io, { run: runToJson(run) });
  else await write(context, options, { store, run });
  return run.info.runId;
}

async function write(
  context: Context,
  options: ShowOptions,
  { store, run }: { readonly store: TrackingStore; readonly run: Run },
): Promise<void> {
  const openArtifacts = (uri: string) => context.openArtifacts(uri, options.trackingUri);
  const details: RunDetails = {
    run,
    experiment: await store.getExperiment(run.info.experimentId),
    summaries: await readSummaries(store, run.info.runId),
    children: await readChildren(store, run, {
      limit: context.io.isTerminal ? shownChildren : limits.maxSearchResults,
      ...(options.sort !== undefined && { sortKey: options.sort }),
      ...(options.isDescending !== undefined && { isDescending: options.isDescending }),
    }),
    artifacts: await listRunArtifacts(openArtifacts, run.info.artifactUri),
  };
  if (options.sort !== undefined) checkSort(context, options.sort, details.children.runs);
  if (context.io.isTerminal) writeRunPage(context.io, context.now(), details);
  else writeRunRows(context.io, details);
}

function checkSort(context: Context, key: string, children: readonly Run[]): void {
  if (children.some((child) => child.data.metrics.some((metric) => metric.key === key))) return;
  context.io.say(children.length === 0 ? "--sort: the run has no children" : `--sort: no child has a metric ${key}`);
}

async function readSummaries(store: TrackingStore, runId: string): Promise<ReadonlyMap<string, MetricSummary>> {
  if (!hasMetricSummaries(store)) return new Map();
  const summaries = await store.getMetricSummaries(runId, { seriesLength: sparklineLength });
  return new Map(summaries.map((summary) => [summary.key, summary]));
}
