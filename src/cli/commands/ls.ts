import type { ViewType } from "../../entities/lifecycle-stage.ts";
import type { RunStatus } from "../../entities/run-status.ts";
import type { Run } from "../../entities/run.ts";
import type { TrackingStore } from "../../store/tracking-store.ts";
import { runToJson } from "../../wire/rest-json.ts";
import type { Context } from "../context.ts";
import { findExperiment, listExperiments } from "../find-experiment.ts";
import { openForListing } from "../open-for-reading.ts";
import { namedColumns, type RunColumnContext, usualColumns } from "../run-columns.ts";
import { writeTable } from "../table.ts";
import { writeJson } from "../write-json.ts";

export interface LsOptions {
  /** Names or ids; empty: all. */
  readonly experiments: readonly string[];
  readonly filter?: string;
  readonly orderBy: readonly string[];
  readonly status?: RunStatus;
  readonly limit: number;
  readonly viewType: ViewType;
  readonly columns?: readonly string[];
  readonly json?: boolean;
  readonly trackingUri?: string;
}

/** Prints the newest runs first; prints nothing, and succeeds, when there are none. */
export async function ls(context: Context, options: LsOptions): Promise<void> {
  const columnContext = { io: context.io, now: context.now(), experimentNames: new Map<string, string>() };
  // A wrong column is a mistake even where there is nothing to list.
  namedColumns(options.columns ?? [], columnContext);
  await using store = await openForListing(context, options.trackingUri);
  const found = store === undefined ? { runs: [], hasMore: false } : await search(store, options, columnContext);
  if (options.json === true) return writeJson(context.io, { runs: found.runs.map(runToJson) });
  writeTable(context.io, columnsFor(found.runs, options, columnContext), found.runs);
  if (found.hasMore && context.io.isTerminal) context.io.say(`there are more than these ${options.limit}: -n <count>`);
}

interface Found {
  readonly runs: readonly Run[];
  readonly hasMore: boolean;
}

async function search(
  store: TrackingStore,
  options: LsOptions,
  columns: { readonly experimentNames: Map<string, string> },
): Promise<Found> {
  const experiments =
    options.experiments.length > 0
      ? await Promise.all(options.experiments.map((name) => findExperiment(store, name)))
      : await listExperiments(store, options.viewType === "ACTIVE_ONLY" ? "ACTIVE_ONLY" : "ALL");
  for (const experiment of experiments) columns.experimentNames.set(experiment.experimentId, experiment.name);
  const experimentIds = [...columns.experimentNames.keys()];
  return experimentIds.length === 0 ? { runs: [], hasMore: false } : searchPages(store, options, experimentIds);
}

async function searchPages(store: TrackingStore, options: LsOptions, experimentIds: readonly string[]): Promise<Found> {
  const runs: Run[] = [];
  const filter = filterOf(options);
  let pageToken: string | undefined;
  do {
    const page = await store.searchRuns({
      experimentIds,
      viewType: options.viewType,
      maxResults: Math.min(options.limit - runs.length, 50_000),
      ...(filter !== undefined && { filter }),
      ...(options.orderBy.length > 0 && { orderBy: options.orderBy }),
      ...(pageToken !== undefined && { pageToken }),
    });
    runs.push(...page.items);
    pageToken = page.nextPageToken;
  } while (pageToken !== undefined && runs.length < options.limit);
  return { runs, hasMore: pageToken !== undefined };
}

/** The grammar joins by AND alone, so the two can be put side by side. */
function filterOf(options: LsOptions): string | undefined {
  const status = options.status === undefined ? undefined : `attributes.status = '${options.status}'`;
  const parts = [options.filter, status].filter((part) => part !== undefined);
  return parts.length === 0 ? undefined : parts.join(" AND ");
}

function columnsFor(runs: readonly Run[], options: LsOptions, context: RunColumnContext) {
  if (options.columns !== undefined) return namedColumns(options.columns, context);
  return usualColumns(runs, context, options.viewType === "ACTIVE_ONLY" ? [] : ["lifecycle_stage"]);
}
