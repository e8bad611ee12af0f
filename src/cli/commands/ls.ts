import type { ViewType } from "../../entities/lifecycle-stage.ts";
import type { RunStatus } from "../../entities/run-status.ts";
import type { Run } from "../../entities/run.ts";
import { mlflowTags, trackTags } from "../../entities/tag-keys.ts";
import { hasRunFields, type RunFields } from "../../store/run-fields.ts";
import type { Page, SearchRunsQuery, TrackingStore } from "../../store/tracking-store.ts";
import { runToJson } from "../../wire/rest-json.ts";
import { type ColumnChoice, fieldsOf, makeColumns, parseColumnName, settleBareNames } from "../column-names.ts";
import type { Context } from "../context.ts";
import { endAllLostRuns } from "../end-lost-runs.ts";
import { findExperiment, listExperiments } from "../find-experiment.ts";
import type { WatchOptions } from "../live-view.ts";
import { openForListing } from "../open-for-reading.ts";
import { type RunColumn, type RunColumnContext, usualColumns, usualKeys } from "../run-columns.ts";
import { readProgress } from "../run-progress.ts";
import { addAncestors, arrangeTree, type TreeRow } from "../run-tree.ts";
import { writeTable } from "../table.ts";
import { writeJson } from "../write-json.ts";

export interface LsOptions extends WatchOptions {
  /** Names or ids; empty: all. */
  readonly experiments: readonly string[];
  readonly filter?: string;
  readonly orderBy: readonly string[];
  readonly status?: RunStatus;
  readonly limit: number;
  readonly viewType: ViewType;
  readonly columns?: readonly string[];
  /** Children below their parents; parents that were not found themselves are added. */
  readonly tree?: boolean;
  readonly json?: boolean;
  readonly trackingUri?: string;
}

/** Prints the newest runs first; prints nothing, and succeeds, when there are none. `--watch` goes on until it is ended. */
export async function ls(context: Context, options: LsOptions): Promise<number | void> {
  // A wrong column is a mistake even where there is nothing to list.
  const choices = options.columns?.map(parseColumnName);
  if (options.watch !== true) return list(context, options, choices);
  const { watchLive } = await import("../live-view.ts");
  return watchLive(context, options, (live) => list(live, options, choices));
}

async function list(context: Context, options: LsOptions, choices: readonly ColumnChoice[] | undefined): Promise<void> {
  await using store = await openForListing(context, options.trackingUri);
  if (store === undefined) return options.json === true ? writeJson(context.io, { runs: [] }) : undefined;
  await endAllLostRuns(context, store, options.trackingUri);
  const experimentNames = await readExperimentNames(store, options);
  const query = { ...options, experimentIds: [...experimentNames.keys()] };
  const wanted = options.json === true ? undefined : wantedFields(context, options, choices);
  const found = await searchPages(store, query, wanted);
  const rows = options.tree === true ? await arrange(context, store, found.runs, options) : undefined;
  const runs = rows?.map((row) => row.run) ?? found.runs;
  if (options.json === true) return writeJson(context.io, { runs: runs.map(runToJson) });
  const columns = { io: context.io, now: context.now(), experimentNames, progress: progressOf(context, runs, options) };
  writeTable(context.io, columnsFor(runs, { options, choices, rows }, columns), runs);
  if (found.hasMore && context.io.isTerminal) context.io.say(`there are more than these ${options.limit}: -n <count>`);
}

async function readExperimentNames(store: TrackingStore, options: LsOptions): Promise<ReadonlyMap<string, string>> {
  const experiments =
    options.experiments.length > 0
      ? await Promise.all(options.experiments.map((name) => findExperiment(store, name)))
      : await listExperiments(store, options.viewType === "ACTIVE_ONLY" ? "ACTIVE_ONLY" : "ALL");
  return new Map(experiments.map((experiment) => [experiment.experimentId, experiment.name]));
}

/** What must be read of the first runs, to tell by them what is needed of all others. */
interface Wanted {
  /** `undefined`: all of their data. */
  readonly ofFirst: RunFields | undefined;
  ofOthers(first: readonly Run[]): RunFields;
}

function wantedFields(context: Context, options: LsOptions, choices: readonly ColumnChoice[] | undefined): Wanted {
  const tags = [trackTags.heartbeat, trackTags.process, ...(options.tree === true ? [mlflowTags.parentRunId] : [])];
  const add = (fields: Partial<RunFields>): RunFields => ({
    metrics: fields.metrics ?? [],
    params: fields.params ?? [],
    tags: [...(fields.tags ?? []), ...tags],
  });
  if (choices !== undefined) {
    const hasBare = choices.some((choice) => choice.kind === "bare");
    return {
      ofFirst: hasBare ? undefined : add(fieldsOf(choices)),
      ofOthers: (first) => add(fieldsOf(settleBareNames(choices, first))),
    };
  }
  if (!context.io.isTerminal) return { ofFirst: add({}), ofOthers: () => add({}) };
  return { ofFirst: undefined, ofOthers: (first) => add(usualKeys(first)) };
}

interface Found {
  readonly runs: readonly Run[];
  readonly hasMore: boolean;
}

/** So many runs are read with all their data to find out what to show of the others. */
const firstRuns = 200;

async function searchPages(
  store: TrackingStore,
  options: LsOptions & { readonly experimentIds: readonly string[] },
  wanted: Wanted | undefined,
): Promise<Found> {
  const { experimentIds, viewType } = options;
  if (experimentIds.length === 0) return { runs: [], hasMore: false };
  const filter = filterOf(options);
  const query = {
    experimentIds,
    viewType,
    ...(filter !== undefined && { filter }),
    ...(options.orderBy.length > 0 && { orderBy: options.orderBy }),
  };
  const runs: Run[] = [];
  let pageToken: string | undefined;
  let fields = wanted?.ofFirst;
  do {
    const most = wanted !== undefined && fields === undefined ? firstRuns : 50_000;
    const page = await searchPage(
      store,
      {
        ...query,
        maxResults: Math.min(options.limit - runs.length, most),
        ...(pageToken !== undefined && { pageToken }),
      },
      fields,
    );
    for (const run of page.items) runs.push(run);
    pageToken = page.nextPageToken;
    fields ??= wanted?.ofOthers(runs);
  } while (pageToken !== undefined && runs.length < options.limit);
  return { runs, hasMore: pageToken !== undefined };
}

function searchPage(store: TrackingStore, query: SearchRunsQuery, fields: RunFields | undefined): Promise<Page<Run>> {
  return fields !== undefined && hasRunFields(store) ? store.searchRunFields(query, fields) : store.searchRuns(query);
}

/** The grammar joins by AND alone, so the two can be put side by side. */
function filterOf(options: LsOptions): string | undefined {
  const status = options.status === undefined ? undefined : `attributes.status = '${options.status}'`;
  const parts = [options.filter, status].filter((part) => part !== undefined);
  return parts.length === 0 ? undefined : parts.join(" AND ");
}

async function arrange(
  context: Context,
  store: TrackingStore,
  runs: readonly Run[],
  options: LsOptions,
): Promise<readonly TreeRow[]> {
  const isWanted = (run: Run) => options.viewType !== "ACTIVE_ONLY" || run.info.lifecycleStage === "active";
  return arrangeTree(await addAncestors(store, runs, isWanted), context.io.isUtf8);
}

function progressOf(context: Context, runs: readonly Run[], options: LsOptions): RunColumnContext["progress"] {
  const isShown = options.columns?.includes("progress") ?? context.io.isTerminal;
  return isShown ? readProgress(context, runs, options.trackingUri) : new Map();
}

interface Shape {
  readonly options: LsOptions;
  readonly choices: readonly ColumnChoice[] | undefined;
  readonly rows: readonly TreeRow[] | undefined;
}

function columnsFor(
  runs: readonly Run[],
  { options, choices, rows }: Shape,
  context: RunColumnContext,
): readonly RunColumn[] {
  const byId = new Map(rows?.map((row) => [row.run.info.runId, row]));
  // In a pipe a name stays a name; where it stands in the tree is told by columns of its own.
  const branches = context.io.isTerminal ? new Map(Array.from(byId, ([id, { branch }]) => [id, branch])) : undefined;
  const drawn = { ...context, ...(branches !== undefined && { branches }) };
  const stage = options.viewType === "ACTIVE_ONLY" ? [] : ["lifecycle_stage"];
  const columns = choices === undefined ? usualColumns(runs, drawn, stage) : makeColumns(choices, runs, drawn);
  if (rows === undefined || context.io.isTerminal) return columns;
  return [...columns, { title: "DEPTH", cell: (run) => String(byId.get(run.info.runId)?.depth ?? 0) }, parentColumn];
}

const parentColumn: RunColumn = {
  title: "PARENT",
  cell: (run) => run.data.tags.find(({ key }) => key === mlflowTags.parentRunId)?.value ?? "",
};
