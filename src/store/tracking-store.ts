import type { DatasetInput } from "../entities/dataset.ts";
import type { Experiment } from "../entities/experiment.ts";
import type { ViewType } from "../entities/lifecycle-stage.ts";
import type { LoggedModel, LoggedModelStatus } from "../entities/logged-model.ts";
import type { Metric } from "../entities/metric.ts";
import type { Param } from "../entities/param.ts";
import type { RunStatus } from "../entities/run-status.ts";
import type { Run, RunInfo } from "../entities/run.ts";
import type { Tag } from "../entities/tag.ts";

/** A page of results; `nextPageToken` is present only while one more row exists. Tokens are opaque. */
export interface Page<Item> {
  readonly items: readonly Item[];
  readonly nextPageToken?: string;
}

export interface SearchExperimentsQuery {
  readonly viewType?: ViewType;
  /** MLflow's filter grammar for experiments. */
  readonly filter?: string;
  /** Elements such as `name ASC`; default `creation_time DESC, experiment_id ASC`. */
  readonly orderBy?: readonly string[];
  /** 1 to 50,000; default 1,000. */
  readonly maxResults?: number;
  readonly pageToken?: string;
}

export interface SearchRunsQuery {
  readonly experimentIds: readonly string[];
  /** Default `ACTIVE_ONLY`. */
  readonly viewType?: ViewType;
  /** MLflow's run filter grammar (contract 6.3). */
  readonly filter?: string;
  /** Elements such as `metrics.loss ASC`; ties: start_time DESC, run_id ASC. */
  readonly orderBy?: readonly string[];
  /** 0 to 50,000; default 1,000. */
  readonly maxResults?: number;
  readonly pageToken?: string;
}

export interface CreateExperimentRequest {
  readonly name: string;
  readonly artifactLocation?: string;
  readonly tags?: readonly Tag[];
}

export interface CreateRunRequest {
  readonly experimentId: string;
  /** The id to use where the store lets the client choose it (SQLite); a REST server makes its own. */
  readonly runId?: string;
  readonly userId: string;
  readonly startTime: number;
  readonly runName: string;
  /** Nobody chose the name: a random one was made for want of any. */
  readonly isNameMinted?: boolean;
  readonly tags: readonly Tag[];
}

/** Only present fields change. `endTime: null` clears it where the store can (SQLite). */
export interface UpdateRunRequest {
  readonly status?: RunStatus;
  readonly endTime?: number | null;
  readonly runName?: string;
}

/** Any size: a store splits it at its own limits. Applied in the order params, metrics, tags. */
export interface LogBatchRequest {
  readonly metrics?: readonly Metric[];
  readonly params?: readonly Param[];
  readonly tags?: readonly Tag[];
}

/** All methods reject with `StoreError` carrying MLflow's error code; `TEMPORARILY_UNAVAILABLE` alone is worth a retry. */
export interface ExperimentStore {
  /** Resolves to the new id. A name in use, deleted experiments included: `RESOURCE_ALREADY_EXISTS`. */
  createExperiment(request: CreateExperimentRequest): Promise<string>;
  /** Any lifecycle stage; unknown: `RESOURCE_DOES_NOT_EXIST`. */
  getExperiment(experimentId: string): Promise<Experiment>;
  /** Any lifecycle stage; `undefined` when there is none. */
  getExperimentByName(name: string): Promise<Experiment | undefined>;
  searchExperiments(query: SearchExperimentsQuery): Promise<Page<Experiment>>;
  renameExperiment(experimentId: string, name: string): Promise<void>;
  /** Cascades to the lifecycle stage of all its runs. */
  deleteExperiment(experimentId: string): Promise<void>;
  restoreExperiment(experimentId: string): Promise<void>;
  setExperimentTag(experimentId: string, tag: Tag): Promise<void>;
  deleteExperimentTag(experimentId: string, key: string): Promise<void>;
}

export interface RunStore {
  createRun(request: CreateRunRequest): Promise<Run>;
  getRun(runId: string): Promise<Run>;
  /** Run ids that begin with `prefix`, any lifecycle stage, at most `limit`. */
  findRunIds(prefix: string, limit: number): Promise<readonly string[]>;
  updateRun(runId: string, request: UpdateRunRequest): Promise<RunInfo>;
  deleteRun(runId: string): Promise<void>;
  restoreRun(runId: string): Promise<void>;
  searchRuns(query: SearchRunsQuery): Promise<Page<Run>>;
  /** Exact repeats of a metric point are dropped; a param that differs: `INVALID_PARAMETER_VALUE`, and nothing of the batch's params is written. */
  logBatch(runId: string, request: LogBatchRequest): Promise<void>;
  /** A missing tag: `RESOURCE_DOES_NOT_EXIST`. */
  deleteTag(runId: string, key: string): Promise<void>;
  /** Ordered by timestamp, step, value. */
  getMetricHistory(
    runId: string,
    key: string,
    page?: { readonly maxResults?: number; readonly pageToken?: string },
  ): Promise<Page<Metric>>;
  logInputs(runId: string, datasets: readonly DatasetInput[], modelIds: readonly string[]): Promise<void>;
  logOutputs(runId: string, models: readonly { readonly modelId: string; readonly step: number }[]): Promise<void>;
}

export interface CreateLoggedModelRequest {
  readonly experimentId: string;
  readonly modelId?: string;
  readonly name?: string;
  readonly modelType?: string;
  readonly sourceRunId?: string;
  readonly params?: readonly Param[];
  readonly tags?: readonly Tag[];
}

/** A dataset that logged models have metrics for; without a digest, any of that name. */
export interface DatasetFilter {
  readonly datasetName: string;
  readonly datasetDigest?: string;
}

export interface LoggedModelOrder {
  /** An attribute such as `creation_timestamp`, or `metrics.KEY`: then the latest value counts. */
  readonly fieldName: string;
  /** Default true. */
  readonly isAscending?: boolean;
  /** Only metrics of that dataset. */
  readonly datasetName?: string;
  readonly datasetDigest?: string;
}

export interface SearchLoggedModelsQuery {
  readonly experimentIds: readonly string[];
  /** MLflow's filter grammar for logged models: attributes, metrics, params, tags, joined by AND. */
  readonly filter?: string;
  /** Metric conditions are looked up for one of these datasets; without any, only models with metrics of one of them. */
  readonly datasets?: readonly DatasetFilter[];
  /** Missing values last; ties: newest first, then model id. */
  readonly orderBy?: readonly LoggedModelOrder[];
  /** At least 1; default 50. */
  readonly maxResults?: number;
  readonly pageToken?: string;
}

export interface LoggedModelStore {
  createLoggedModel(request: CreateLoggedModelRequest): Promise<LoggedModel>;
  getLoggedModel(modelId: string): Promise<LoggedModel>;
  finalizeLoggedModel(modelId: string, status: LoggedModelStatus): Promise<LoggedModel>;
  logLoggedModelParams(modelId: string, params: readonly Param[]): Promise<void>;
  setLoggedModelTags(modelId: string, tags: readonly Tag[]): Promise<void>;
  deleteLoggedModelTag(modelId: string, key: string): Promise<void>;
  deleteLoggedModel(modelId: string): Promise<void>;
  searchLoggedModels(query: SearchLoggedModelsQuery): Promise<Page<LoggedModel>>;
}

/** A dataset that runs of an experiment used, once for each context (`mlflow.data.context`) that it was used in. */
export interface DatasetSummary {
  readonly experimentId: string;
  readonly name: string;
  readonly digest: string;
  readonly context?: string;
}

/** A store that can list the datasets of experiments. Optional: asked for by `hasDatasetSearch`. */
export interface DatasetSearch {
  searchDatasets(experimentIds: readonly string[]): Promise<readonly DatasetSummary[]>;
}

export function hasDatasetSearch(store: TrackingStore): store is TrackingStore & DatasetSearch {
  return "searchDatasets" in store;
}

/** Everything that MLflow's tracking API does with experiments, runs and logged models. */
export interface TrackingStore extends ExperimentStore, RunStore, LoggedModelStore, AsyncDisposable {
  /** What is under way, and all that comes later, fails with `TEMPORARILY_UNAVAILABLE`; only where a server may keep silent. */
  abort?(): void;
}

/** A store that can make several writes one: they are stored together or not at all. */
export interface GroupingStore {
  /**
   * Runs `work`, whose writes to the store that it is handed become one. Rejects as `work` or the store does, and nothing is
   * stored then. What is asked of this store itself meanwhile waits.
   */
  together<Result>(work: (store: TrackingStore) => Promise<Result>): Promise<Result>;
}

export function canGroup(store: TrackingStore): store is TrackingStore & GroupingStore {
  return "together" in store && typeof store.together === "function";
}
