import type { Run, RunInfo } from "../../entities/run.ts";
import { trackTags } from "../../entities/tag-keys.ts";
import { isTransient, StoreError } from "../../errors.ts";
import { isBeforeSending } from "../../http/connection-errors.ts";
import { pairToJson } from "../../wire/rest-json.ts";
import { runFromJson, runInfoFromJson } from "../../wire/rest-json-read.ts";
import { readObject } from "../../wire/rest-json-values.ts";
import type { CreateRunRequest, UpdateRunRequest } from "../tracking-store.ts";
import type { RestApi } from "./rest-api.ts";
import { readAllPages } from "./search-page.ts";
import { searchExperiments } from "./search-experiments.ts";
import { searchRuns } from "./search-runs.ts";

/** Creates whose answer was lost, by `track.create_id`: a late request may still make a second run. */
export type UncertainCreates = Map<string, { readonly experimentId: string; readonly keptRunId?: string }>;

/**
 * Makes a run under the server's own id. Where the answer of an earlier try was lost, the run is looked up by its tag
 * `track.create_id` first.
 */
export async function createRun(api: RestApi, request: CreateRunRequest, uncertain: UncertainCreates): Promise<Run> {
  const { experimentId } = request;
  const createId = request.tags.find(({ key }) => key === trackTags.createId)?.value;
  if (createId === undefined) return await postRun(api, request);
  const found = uncertain.has(createId) ? (await findCreatedRuns(api, experimentId, createId))[0] : undefined;
  try {
    const run = found ?? (await postRun(api, request));
    if (uncertain.has(createId)) uncertain.set(createId, { experimentId, keptRunId: run.info.runId });
    return run;
  } catch (error) {
    const mayHaveArrived = error instanceof StoreError && isTransient(error) && !isBeforeSending(error.cause);
    if (mayHaveArrived) uncertain.set(createId, { experimentId });
    throw error;
  }
}

/** Deletes what late requests have made beside the runs that were kept. A server that is away is not waited for. */
export async function deleteDoubles(api: RestApi, uncertain: UncertainCreates): Promise<void> {
  for (const [createId, { experimentId, keptRunId }] of uncertain) {
    if (keptRunId === undefined) continue;
    try {
      for (const { info } of await findCreatedRuns(api, experimentId, createId)) {
        const isDouble = info.runId !== keptRunId && info.lifecycleStage === "active";
        if (isDouble) await changeRun(api, "delete", info.runId);
      }
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
    }
  }
}

async function postRun(api: RestApi, request: CreateRunRequest): Promise<Run> {
  const message = {
    experiment_id: request.experimentId,
    user_id: request.userId,
    start_time: request.startTime,
    run_name: request.runName === "" ? undefined : request.runName,
    tags: request.tags.map(pairToJson),
  };
  return runFromJson(readObject(await api.post("runs/create", message, { mayRetry: false }), "run"));
}

async function findCreatedRuns(api: RestApi, experimentId: string, createId: string): Promise<readonly Run[]> {
  const { items } = await searchRuns(api, {
    experimentIds: [experimentId],
    filter: `tags.\`${trackTags.createId}\` = '${createId}'`,
    viewType: "ALL",
    orderBy: ["attributes.run_id ASC"],
  });
  return items;
}

export async function getRun(api: RestApi, runId: string): Promise<Run> {
  return runFromJson(readObject(await api.get("runs/get", { run_id: runId }), "run"));
}

/** `endTime: null` is left out: MLflow's API cannot clear it. */
export async function updateRun(api: RestApi, runId: string, request: UpdateRunRequest): Promise<RunInfo> {
  const answer = await api.post("runs/update", {
    run_id: runId,
    status: request.status,
    end_time: request.endTime ?? undefined,
    run_name: request.runName,
  });
  return runInfoFromJson(readObject(answer, "run_info"));
}

export async function changeRun(api: RestApi, change: "delete" | "restore", runId: string): Promise<void> {
  await api.post(`runs/${change}`, { run_id: runId });
}

export async function deleteTag(api: RestApi, runId: string, key: string): Promise<void> {
  await api.post("runs/delete-tag", { run_id: runId, key });
}

const wholeIdLength = 32;
const idsPerPage = 1000;

/** A whole id is asked for, a part of one searched for in all experiments. */
export async function findRunIds(api: RestApi, prefix: string, limit: number): Promise<readonly string[]> {
  if (!/^[\w-]*$/u.test(prefix) || limit <= 0) return [];
  if (prefix.length === wholeIdLength) return await idIfThere(api, prefix);
  const experiments = await readAllPages((pageToken) =>
    searchExperiments(api, { viewType: "ALL", maxResults: idsPerPage, ...(pageToken !== undefined && { pageToken }) }),
  );
  const experimentIds = experiments.map(({ experimentId }) => experimentId);
  if (experimentIds.length === 0) return [];
  // `_` stands for any character there.
  const filter = `attributes.run_id LIKE '${prefix}%'`;
  const found = await readAllPages(async (pageToken) => {
    const page = await searchRuns(api, {
      experimentIds,
      filter,
      viewType: "ALL",
      maxResults: Math.min(limit, idsPerPage),
      ...(pageToken !== undefined && { pageToken }),
    });
    const items = page.items.map(({ info }) => info.runId).filter((runId) => runId.startsWith(prefix));
    return { ...page, items };
  }, limit);
  return found;
}

async function idIfThere(api: RestApi, runId: string): Promise<readonly string[]> {
  try {
    return [(await getRun(api, runId)).info.runId];
  } catch (error) {
    if (error instanceof StoreError && error.errorCode === "RESOURCE_DOES_NOT_EXIST") return [];
    throw error;
  }
}
