import type { Run } from "../entities/run.ts";
import { trackTags } from "../entities/tag-keys.ts";
import type { ViewType } from "../entities/lifecycle-stage.ts";
import { TrackError } from "../errors.ts";
import type { ExperimentStore, RunStore } from "../store/tracking-store.ts";
import { listExperiments } from "./find-experiment.ts";

type Store = ExperimentStore & RunStore;

const shortestPrefix = 4;
const shownCandidates = 5;

/**
 * The run that `name` means: its id, a unique prefix of it (4 characters or more), its exact name where only one run
 * has it, or `@last`, `@2`, ... Deleted runs are found by id or prefix alone. Unknown or ambiguous: `TrackError`.
 */
export async function findRun(store: Store, name: string): Promise<Run> {
  if (name.startsWith("@")) return findByAge(store, name);
  if (name.length >= shortestPrefix) {
    const ids = await store.findRunIds(name, shownCandidates + 1);
    if (ids.length > 1 && !ids.includes(name)) throw await ambiguousIds(store, name, ids);
    const runId = ids.includes(name) ? name : ids[0];
    if (runId !== undefined) return store.getRun(runId);
  }
  return findByName(store, name);
}

/** The runs in the order of their names, each once, as `find` finds them. */
export async function findRuns(
  names: readonly string[],
  find: (name: string) => Promise<Run>,
): Promise<readonly Run[]> {
  const runs = new Map<string, Run>();
  for (const name of names) {
    const run = await find(name);
    runs.set(run.info.runId, run);
  }
  return [...runs.values()];
}

/** The `count` newest active runs by the start of their latest attempt, the newest first. */
export async function newestRuns(store: Store, count: number): Promise<readonly Run[]> {
  // A run started again goes up by its tag, all others stand where their start time puts them: the newest of both lists
  // together are the newest of all, since an attempt never starts before its run.
  const byStart = await searchEverywhere(store, { orderBy: ["attributes.start_time DESC"], maxResults: count });
  const byAttempt = await searchEverywhere(store, {
    filter: `tags.\`${trackTags.attempt}\` != '1'`,
    orderBy: [`tags.\`${trackTags.attemptStartTime}\` DESC`],
    maxResults: count,
  });
  const runs = new Map([...byStart, ...byAttempt].map((run) => [run.info.runId, run]));
  return [...runs.values()].sort((one, other) => latestStart(other) - latestStart(one)).slice(0, count);
}

/** Start of the latest attempt, ms since the epoch. */
export function latestStart(run: Run): number {
  const tag = run.data.tags.find((candidate) => candidate.key === trackTags.attemptStartTime);
  const time = tag === undefined ? Number.NaN : Number(tag.value);
  return Number.isFinite(time) ? time : run.info.startTime;
}

async function findByAge(store: Store, name: string): Promise<Run> {
  const nth = name === "@last" ? 1 : /^@[1-9]\d{0,4}$/u.test(name) ? Number(name.slice(1)) : undefined;
  if (nth === undefined) throw unknownRun(name, "write @last, @2, @3, ...");
  const runs = await newestRuns(store, nth);
  const run = runs[nth - 1];
  if (run !== undefined) return run;
  throw unknownRun(name, runs.length === 0 ? "there is no run yet" : `there are only ${runs.length} runs`);
}

async function findByName(store: Store, name: string): Promise<Run> {
  const runs = name === "" ? [] : await searchByName(store, name, "ACTIVE_ONLY");
  const [run] = runs;
  if (run !== undefined && runs.length === 1) return run;
  if (run !== undefined) throw ambiguousRuns("runs have this name", name, runs);
  const [deleted] = name === "" ? [] : await searchByName(store, name, "DELETED_ONLY");
  if (deleted !== undefined) {
    throw unknownRun(name, `it is deleted: track restore ${deleted.info.runId.slice(0, 8)}`);
  }
  const isShort = /^[0-9a-f]+$/u.test(name) && name.length < shortestPrefix;
  const hint = isShort
    ? `give ${shortestPrefix} characters of its id or more`
    : "track ls --all shows the ids and names";
  throw unknownRun(name, hint);
}

function unknownRun(name: string, hint: string): TrackError {
  return new TrackError(`no such run: ${name}`, { hint });
}

/** MLflow's grammar knows no escapes: a name with both quotes in it cannot be asked for, and is compared here. */
async function searchByName(store: Store, name: string, viewType: ViewType): Promise<readonly Run[]> {
  const quote = name.includes("'") ? '"' : "'";
  const maxResults = shownCandidates + 1;
  if (!name.includes(quote)) {
    return searchEverywhere(store, { filter: `attributes.run_name = ${quote}${name}${quote}`, maxResults, viewType });
  }
  const all = await searchEverywhere(store, { maxResults: 50_000, viewType });
  return all.filter((run) => run.info.runName === name).slice(0, maxResults);
}

interface Query {
  readonly filter?: string;
  readonly orderBy?: readonly string[];
  readonly maxResults: number;
  readonly viewType?: ViewType;
}

async function searchEverywhere(store: Store, query: Query): Promise<readonly Run[]> {
  const experiments = await listExperiments(store, "ALL");
  const experimentIds = experiments.map((experiment) => experiment.experimentId);
  if (experimentIds.length === 0) return [];
  return (await store.searchRuns({ experimentIds, ...query })).items;
}

async function ambiguousIds(store: Store, name: string, ids: readonly string[]): Promise<TrackError> {
  return ambiguousRuns("run ids begin so", name, await Promise.all(ids.map((id) => store.getRun(id))));
}

function ambiguousRuns(what: string, name: string, runs: readonly Run[]): TrackError {
  const count = runs.length > shownCandidates ? "many" : runs.length;
  const shown = runs.slice(0, shownCandidates).map((run) => `${run.info.runId} (${run.info.runName})`);
  return new TrackError(`which run? ${count} ${what}: ${name}`, { hint: `one of ${shown.join(", ")}` });
}
