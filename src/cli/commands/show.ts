import type { Run } from "../../entities/run.ts";
import { mlflowTags } from "../../entities/tag-keys.ts";
import { hasMetricSummaries, type MetricSummary } from "../../store/metric-summaries.ts";
import type { TrackingStore } from "../../store/tracking-store.ts";
import { runToJson } from "../../wire/rest-json.ts";
import type { Context } from "../context.ts";
import { findRun } from "../find-run.ts";
import { openExisting } from "../open-for-reading.ts";
import { listRunArtifacts } from "../run-artifacts.ts";
import { type RunDetails, writeRunPage } from "../run-page.ts";
import { writeRunRows } from "../run-rows.ts";
import { writeJson } from "../write-json.ts";

export interface ShowOptions {
  readonly json?: boolean;
  readonly trackingUri?: string;
}

const sparklineLength = 24;
const shownChildren = 50;

/** Prints everything about one run: a page on a terminal, one tab-separated line for each fact in a pipe. */
export async function show(context: Context, options: ShowOptions, name: string): Promise<void> {
  await using store = await openExisting(context, "read", options.trackingUri);
  const run = await findRun(store, name);
  if (options.json === true) return writeJson(context.io, { run: runToJson(run) });
  const openArtifacts = (uri: string) => context.openArtifacts(uri, options.trackingUri);
  const details = {
    ...(await readDetails(store, run)),
    artifacts: await listRunArtifacts(openArtifacts, run.info.artifactUri),
  };
  if (context.io.isTerminal) writeRunPage(context.io, context.now(), details);
  else writeRunRows(context.io, details);
}

async function readDetails(store: TrackingStore, run: Run): Promise<Omit<RunDetails, "artifacts">> {
  const { runId, experimentId } = run.info;
  return {
    run,
    experiment: await store.getExperiment(experimentId),
    summaries: await readSummaries(store, runId),
    children: await readChildren(store, run),
  };
}

async function readSummaries(store: TrackingStore, runId: string): Promise<ReadonlyMap<string, MetricSummary>> {
  if (!hasMetricSummaries(store)) return new Map();
  const summaries = await store.getMetricSummaries(runId, { seriesLength: sparklineLength });
  return new Map(summaries.map((summary) => [summary.key, summary]));
}

async function readChildren(store: TrackingStore, run: Run): Promise<readonly Run[]> {
  const page = await store.searchRuns({
    experimentIds: [run.info.experimentId],
    filter: `tags.\`${mlflowTags.parentRunId}\` = '${run.info.runId}'`,
    orderBy: ["attributes.start_time ASC"],
    maxResults: shownChildren,
  });
  return page.items;
}
