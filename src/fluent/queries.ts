import type { Experiment } from "../entities/experiment.ts";
import type { ViewType } from "../entities/lifecycle-stage.ts";
import type { Metric } from "../entities/metric.ts";
import type { Run } from "../entities/run.ts";
import { doesNotExist, invalidParameter } from "../errors.ts";
import type { Page, TrackingStore } from "../store/tracking-store.ts";
import {
  checkGivenRunId,
  checkOptionalText,
  checkOptions,
  checkText,
  experimentIdOf,
  shown,
} from "./argument-checks.ts";
import { currentExperimentId } from "./experiments.ts";
import { askStore } from "./session.ts";

/** A run as the store has it, with what this program has said of it. Rejects with `RESOURCE_DOES_NOT_EXIST`. */
export async function getRun(runId: string): Promise<Run> {
  checkGivenRunId(runId);
  return await askStore((store) => store.getRun(runId));
}

/** All points of a metric, by time (ms since the epoch), step and value; none for a name that the run does not have. */
export async function getMetricHistory(runId: string, key: string): Promise<readonly Metric[]> {
  checkGivenRunId(runId);
  checkText("key", key);
  return await askStore((store) =>
    readAll((page) => store.getMetricHistory(runId, key, page), Number.MAX_SAFE_INTEGER),
  );
}

export interface SearchRunsOptions {
  /** By default the active experiment. */
  readonly experimentIds?: readonly (string | number)[];
  /** Instead of ids; one that is not there is an error. */
  readonly experimentNames?: readonly string[];
  /** MLflow's grammar, such as `metrics.loss < 0.1 AND params.lr = '0.01'`. */
  readonly filter?: string;
  /** Such as `metrics.loss ASC`; by default the newest first. */
  readonly orderBy?: readonly string[];
  /** By default 100,000, as MLflow's. */
  readonly maxResults?: number;
  /** By default `ACTIVE_ONLY`. */
  readonly viewType?: ViewType;
}

const runFields = ["experimentIds", "experimentNames", "filter", "orderBy", "maxResults", "viewType"];

/** Runs that match, all pages of them (MLflow's `search_runs`). Rejects with `INVALID_PARAMETER_VALUE` for a filter that is none. */
export async function searchRuns(options: SearchRunsOptions = {}): Promise<readonly Run[]> {
  checkOptions("searchRuns", options, runFields);
  if (options.experimentIds !== undefined && options.experimentNames !== undefined) {
    throw invalidParameter("Only experimentIds or experimentNames can be given, not both");
  }
  checkOptionalText("filter", options.filter);
  const { filter, orderBy, viewType } = options;
  return await askStore(async (store) => {
    const query = {
      experimentIds: await experimentIdsOf(store, options),
      ...(filter !== undefined && { filter }),
      ...(orderBy !== undefined && { orderBy }),
      ...(viewType !== undefined && { viewType }),
    };
    return await readAll((page) => store.searchRuns({ ...query, ...page }), limitOf(options.maxResults));
  });
}

export interface SearchExperimentsOptions {
  /** MLflow's grammar for experiments, such as `name LIKE 'digits%'`. */
  readonly filter?: string;
  readonly orderBy?: readonly string[];
  readonly maxResults?: number;
  /** By default `ACTIVE_ONLY`. */
  readonly viewType?: ViewType;
}

/** Experiments that match, all pages of them (MLflow's `search_experiments`). */
export async function searchExperiments(options: SearchExperimentsOptions = {}): Promise<readonly Experiment[]> {
  checkOptions("searchExperiments", options, ["filter", "orderBy", "maxResults", "viewType"]);
  checkOptionalText("filter", options.filter);
  const { maxResults, ...query } = options;
  return await askStore((store) =>
    readAll((page) => store.searchExperiments({ ...query, ...page }), limitOf(maxResults)),
  );
}

/** Marks a run as deleted; `restoreRun` brings it back. Rejects with `RESOURCE_DOES_NOT_EXIST`. */
export async function deleteRun(runId: string): Promise<void> {
  checkGivenRunId(runId);
  await askStore((store) => store.deleteRun(runId));
}

/** Brings a deleted run back. */
export async function restoreRun(runId: string): Promise<void> {
  checkGivenRunId(runId);
  await askStore((store) => store.restoreRun(runId));
}

async function experimentIdsOf(
  store: TrackingStore,
  { experimentIds, experimentNames }: SearchRunsOptions,
): Promise<readonly string[]> {
  if (experimentIds !== undefined) return experimentIds.map(experimentIdOf);
  if (experimentNames === undefined) return [await currentExperimentId(store)];
  const ids: string[] = [];
  for (const name of experimentNames) {
    checkText("experimentName", name);
    const found = await store.getExperimentByName(name);
    if (found === undefined) throw doesNotExist(`Experiment with name '${name}' does not exist.`);
    ids.push(found.experimentId);
  }
  return ids;
}

const defaultResults = 100_000;
const pageSize = 1000;

function limitOf(maxResults: unknown): number {
  if (maxResults === undefined) return defaultResults;
  if (typeof maxResults === "number" && Number.isSafeInteger(maxResults) && maxResults > 0) return maxResults;
  throw invalidParameter(
    `Invalid value ${shown(maxResults)} for parameter 'maxResults': it must be a whole number above 0`,
  );
}

type PageRequest = { readonly maxResults: number; readonly pageToken?: string };

async function readAll<Item>(ask: (page: PageRequest) => Promise<Page<Item>>, limit: number): Promise<readonly Item[]> {
  const found: Item[] = [];
  let pageToken: string | undefined;
  do {
    const maxResults = Math.min(pageSize, limit - found.length);
    const page = await ask({ maxResults, ...(pageToken !== undefined && { pageToken }) });
    found.push(...page.items);
    pageToken = page.nextPageToken;
  } while (pageToken !== undefined && found.length < limit);
  return found;
}
