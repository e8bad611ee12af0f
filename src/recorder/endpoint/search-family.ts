import { rmSync } from "node:fs";
import { join } from "node:path";
import { mlflowTags } from "../../entities/tag-keys.ts";
import type { Run } from "../../entities/run.ts";
import { StoreError } from "../../errors.ts";
import type { Page, SearchRunsQuery, TrackingStore } from "../../store/tracking-store.ts";
import { randomHex } from "../../util/ids.ts";
import { parseRunFilter, type RunComparison } from "../../wire/search-filter.ts";
import type { EndpointState } from "./endpoint-state.ts";
import { serverAway } from "./server-away.ts";

/**
 * Whether the search can find nothing but runs of the family's, all of them known here: by their ids, or children of one that
 * this journal has made. Any other search would be answered with less than there is. A wrong filter is none of ours.
 */
export function isFamilySearch(state: EndpointState, filter: string): boolean {
  if (state.familyRuns === undefined) return false;
  try {
    return parseRunFilter(filter).some((comparison) => namesFamily(state, comparison));
  } catch (error) {
    if (error instanceof StoreError) return false;
    throw error;
  }
}

function namesFamily(state: EndpointState, { field, condition }: RunComparison): boolean {
  const isParent = field.entity === "tag" && field.key === mlflowTags.parentRunId;
  const isId = field.entity === "attribute" && field.key === "run_id";
  if (condition.kind === "text" && condition.operator === "=") {
    const id = state.ids.toJournal(condition.value);
    return (isId && isRun(state, id)) || (isParent && state.hasAllChildrenOf(id));
  }
  const isList = isId && condition.kind === "list" && condition.operator === "IN";
  return isList && condition.values.every((id) => isRun(state, state.ids.toJournal(id)));
}

/** A program's journal has a name that is no run's. */
function isRun(state: EndpointState, id: string): boolean {
  return state.isFamily(id) && (id !== state.own.id || state.recording.header.kind !== "program");
}

/** The same answer as a store's that holds the family alone; asked of one that is made for it. */
export async function searchFamily(state: EndpointState, query: SearchRunsQuery): Promise<Page<Run>> {
  const { ids } = state;
  const experimentIds = new Set(query.experimentIds.map((id) => ids.toJournal(id)));
  const runs = (await runsOf(state)).filter(({ info }) => experimentIds.has(ids.toJournal(info.experimentId)));
  const path = join(state.folder, `search-${randomHex(4)}.db`);
  // Needed in an outage alone.
  const { openSqliteStore } = await import("../../store/sqlite/sqlite-store.ts");
  try {
    await using store = await openSqliteStore(path, { mode: "write" });
    await store.together(async (transaction) => {
      for (const run of runs) await put(transaction, run, ids.textToClient(parentOf(run)));
    });
    const filter = ids.textToClient(query.filter ?? "");
    const page = await store.searchRuns({ ...query, filter, experimentIds: ["0"] });
    return { ...page, items: await Promise.all(page.items.map(({ info }) => whole(state, info.runId))) };
  } finally {
    for (const suffix of ["", "-journal"]) rmSync(`${path}${suffix}`, { force: true });
  }
}

async function runsOf(state: EndpointState): Promise<readonly Run[]> {
  const { familyRuns, own, recording } = state;
  if (familyRuns === undefined) throw serverAway("a search that it alone can do");
  const others = familyRuns.map(({ run }) => run);
  return recording.header.kind === "program" ? others : [await own.run(), ...others];
}

const parentOf = ({ data }: Run): string => data.tags.find(({ key }) => key === mlflowTags.parentRunId)?.value ?? "";

async function put(store: TrackingStore, { info, data, inputs }: Run, parent: string): Promise<void> {
  const { runId, userId, startTime, runName, status, endTime } = info;
  const own = new Set<string>([mlflowTags.runName, mlflowTags.parentRunId]);
  const tags = data.tags.filter(({ key }) => !own.has(key));
  const all = parent === "" ? tags : [...tags, { key: mlflowTags.parentRunId, value: parent }];
  await store.createRun({ experimentId: "0", runId, userId, startTime, runName, tags: all });
  await store.logBatch(runId, { metrics: data.metrics, params: data.params });
  if (inputs.datasetInputs.length > 0) await store.logInputs(runId, inputs.datasetInputs, []);
  await store.updateRun(runId, { status, ...(endTime !== undefined && { endTime }) });
  if (info.lifecycleStage === "deleted") await store.deleteRun(runId);
}

/** With the place of its files. */
async function whole(state: EndpointState, clientId: string): Promise<Run> {
  const runId = state.ids.toJournal(clientId);
  return runId === state.own.id ? await state.own.run() : (await state.find(runId)).run;
}
