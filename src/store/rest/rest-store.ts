import type { DatasetInput } from "../../entities/dataset.ts";
import type { Experiment } from "../../entities/experiment.ts";
import type { LoggedModel, LoggedModelStatus } from "../../entities/logged-model.ts";
import type { Metric } from "../../entities/metric.ts";
import type { Param } from "../../entities/param.ts";
import type { Run, RunInfo } from "../../entities/run.ts";
import type { ServerAccess } from "../../entities/server-access.ts";
import { mlflowTags } from "../../entities/tag-keys.ts";
import type { Tag } from "../../entities/tag.ts";
import {
  checkArtifactLocation,
  checkDatasetInput,
  checkExperimentName,
  checkExperimentTag,
  checkLoggedModelName,
  checkMetrics,
  checkParam,
  checkRunTag,
} from "../../entities/validation.ts";
import { HttpClient, type HttpClientOptions } from "../../http/http-client.ts";
import type { RegistryOwner, RegistryStore } from "../registry-store.ts";
import type {
  CreateExperimentRequest,
  CreateLoggedModelRequest,
  CreateRunRequest,
  LogBatchRequest,
  Page,
  SearchExperimentsQuery,
  SearchLoggedModelsQuery,
  SearchRunsQuery,
  TrackingStore,
  UpdateRunRequest,
} from "../tracking-store.ts";
import * as experiments from "./experiments.ts";
import { logBatch } from "./log-batch.ts";
import * as models from "./logged-models.ts";
import { readMetricHistory } from "./metric-history.ts";
import { RestApi } from "./rest-api.ts";
import { logInputs, logOutputs } from "./run-inputs.ts";
import * as runs from "./runs.ts";
import { searchExperiments } from "./search-experiments.ts";
import { searchRuns } from "./search-runs.ts";

/** Opens the store of a tracking server; nothing is asked of it yet. */
export function openRestStore(access: ServerAccess, options: HttpClientOptions = {}): RestStore {
  return new RestStore(new RestApi(new HttpClient(access, options)));
}

/**
 * A tracking server by MLflow's REST API, 2.x or 3.x. The server makes the ids of runs and models, and cannot clear an end
 * time. A batch over MLflow's limits is several calls, so a refused one may be stored in part.
 */
export class RestStore implements TrackingStore, RegistryOwner {
  readonly #api: RestApi;
  readonly #uncertainCreates: runs.UncertainCreates = new Map();

  constructor(api: RestApi) {
    this.#api = api;
  }

  async createExperiment(request: CreateExperimentRequest): Promise<string> {
    checkExperimentName(request.name);
    if (request.artifactLocation !== undefined) checkArtifactLocation(request.artifactLocation);
    request.tags?.forEach(checkExperimentTag);
    return await experiments.createExperiment(this.#api, request);
  }

  getExperiment(experimentId: string): Promise<Experiment> {
    return experiments.getExperiment(this.#api, experimentId);
  }

  getExperimentByName(name: string): Promise<Experiment | undefined> {
    return experiments.getExperimentByName(this.#api, name);
  }

  searchExperiments(query: SearchExperimentsQuery): Promise<Page<Experiment>> {
    return searchExperiments(this.#api, query);
  }

  async renameExperiment(experimentId: string, name: string): Promise<void> {
    checkExperimentName(name);
    await experiments.renameExperiment(this.#api, experimentId, name);
  }

  deleteExperiment(experimentId: string): Promise<void> {
    return experiments.changeLifecycle(this.#api, "delete", experimentId);
  }

  restoreExperiment(experimentId: string): Promise<void> {
    return experiments.changeLifecycle(this.#api, "restore", experimentId);
  }

  async setExperimentTag(experimentId: string, tag: Tag): Promise<void> {
    checkExperimentTag(tag);
    await experiments.setExperimentTag(this.#api, experimentId, tag);
  }

  deleteExperimentTag(experimentId: string, key: string): Promise<void> {
    return experiments.deleteExperimentTag(this.#api, experimentId, key);
  }

  async createRun(request: CreateRunRequest): Promise<Run> {
    checkRunTag({ key: mlflowTags.runName, value: request.runName });
    request.tags.forEach(checkRunTag);
    return await runs.createRun(this.#api, request, this.#uncertainCreates);
  }

  getRun(runId: string): Promise<Run> {
    return runs.getRun(this.#api, runId);
  }

  findRunIds(prefix: string, limit: number): Promise<readonly string[]> {
    return runs.findRunIds(this.#api, prefix, limit);
  }

  async updateRun(runId: string, request: UpdateRunRequest): Promise<RunInfo> {
    if (request.runName !== undefined) checkRunTag({ key: mlflowTags.runName, value: request.runName });
    return await runs.updateRun(this.#api, runId, request);
  }

  deleteRun(runId: string): Promise<void> {
    return runs.changeRun(this.#api, "delete", runId);
  }

  restoreRun(runId: string): Promise<void> {
    return runs.changeRun(this.#api, "restore", runId);
  }

  searchRuns(query: SearchRunsQuery): Promise<Page<Run>> {
    return searchRuns(this.#api, query);
  }

  async logBatch(runId: string, request: LogBatchRequest): Promise<void> {
    request.params?.forEach(checkParam);
    checkMetrics(request.metrics ?? []);
    request.tags?.forEach(checkRunTag);
    await logBatch(this.#api, runId, request);
  }

  deleteTag(runId: string, key: string): Promise<void> {
    return runs.deleteTag(this.#api, runId, key);
  }

  getMetricHistory(
    runId: string,
    key: string,
    page: { readonly maxResults?: number; readonly pageToken?: string } = {},
  ): Promise<Page<Metric>> {
    return readMetricHistory(this.#api, { runId, key, ...page });
  }

  async logInputs(runId: string, datasets: readonly DatasetInput[], modelIds: readonly string[]): Promise<void> {
    datasets.forEach(checkDatasetInput);
    await logInputs(this.#api, runId, datasets, modelIds);
  }

  logOutputs(runId: string, outputs: readonly { readonly modelId: string; readonly step: number }[]): Promise<void> {
    return logOutputs(this.#api, runId, outputs);
  }

  async createLoggedModel(request: CreateLoggedModelRequest): Promise<LoggedModel> {
    if (request.name !== undefined) checkLoggedModelName(request.name);
    return await models.createLoggedModel(this.#api, request);
  }

  getLoggedModel(modelId: string): Promise<LoggedModel> {
    return models.getLoggedModel(this.#api, modelId);
  }

  finalizeLoggedModel(modelId: string, status: LoggedModelStatus): Promise<LoggedModel> {
    return models.finalizeLoggedModel(this.#api, modelId, status);
  }

  logLoggedModelParams(modelId: string, params: readonly Param[]): Promise<void> {
    return models.logLoggedModelParams(this.#api, modelId, params);
  }

  setLoggedModelTags(modelId: string, tags: readonly Tag[]): Promise<void> {
    return models.setLoggedModelTags(this.#api, modelId, tags);
  }

  deleteLoggedModelTag(modelId: string, key: string): Promise<void> {
    return models.deleteLoggedModelTag(this.#api, modelId, key);
  }

  deleteLoggedModel(modelId: string): Promise<void> {
    return models.deleteLoggedModel(this.#api, modelId);
  }

  searchLoggedModels(query: SearchLoggedModelsQuery): Promise<Page<LoggedModel>> {
    return models.searchLoggedModels(this.#api, query);
  }

  async openRegistry(): Promise<RegistryStore> {
    const { RestRegistryStore } = await import("./rest-registry-store.ts");
    return new RestRegistryStore(this.#api);
  }

  /** What is under way, and all that comes later, fails with `TEMPORARILY_UNAVAILABLE`. */
  abort(): void {
    this.#api.client.abort();
  }

  /** Ends the connections, once what late requests have made twice is deleted. */
  async [Symbol.asyncDispose](): Promise<void> {
    await runs.deleteDoubles(this.#api, this.#uncertainCreates);
    await this.#api.client.close();
  }
}
