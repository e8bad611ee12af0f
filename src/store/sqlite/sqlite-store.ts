import { dirname, join } from "node:path";
import type { DatasetInput } from "../../entities/dataset.ts";
import type { Experiment } from "../../entities/experiment.ts";
import type { LoggedModel, LoggedModelStatus } from "../../entities/logged-model.ts";
import type { Metric } from "../../entities/metric.ts";
import type { Param } from "../../entities/param.ts";
import type { Run, RunInfo } from "../../entities/run.ts";
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
  checkRunId,
  checkRunTag,
} from "../../entities/validation.ts";
import { newRunId, randomHex } from "../../util/ids.ts";
import { randomRunName } from "../../util/run-names.ts";
import type { MetricSummaries, MetricSummary } from "../metric-summaries.ts";
import type { MetricSeries, MetricSeriesReader } from "../metric-series.ts";
import type { OpenStoreOptions } from "../open-store.ts";
import type { RegistryOwner, RegistryStore } from "../registry-store.ts";
import type { RunFields, RunFieldsSearch } from "../run-fields.ts";
import type { RunMover } from "../run-mover.ts";
import type { DeletedRun, RunRemoval } from "../run-removal.ts";
import type {
  CreateExperimentRequest,
  CreateLoggedModelRequest,
  CreateRunRequest,
  DatasetSearch,
  DatasetSummary,
  GroupingStore,
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
import { logInputs, logOutputs } from "./run-inputs.ts";
import * as removal from "./run-removal.ts";
import * as runs from "./runs.ts";
import { searchExperiments } from "./search-experiments.ts";
import { readMetricSummaries } from "./search-metric-summaries.ts";
import { searchRuns } from "./search-runs.ts";
import { type SqliteAccess, SqliteConnection } from "./sqlite-connection.ts";

const defaultBusyTimeoutMs = 20_000;

/** Opens the MLflow database at an absolute path; `write` creates a missing one whole, at the revision of MLflow 3.0. */
export async function openSqliteStore(path: string, options: OpenStoreOptions): Promise<SqliteStore> {
  const artifactRoot = options.artifactRoot ?? join(dirname(path), "mlruns");
  const busyTimeoutMs = options.busyTimeoutMs ?? defaultBusyTimeoutMs;
  const connection = await SqliteConnection.open(path, { mode: options.mode, busyTimeoutMs, artifactRoot });
  return new SqliteStore(connection, artifactRoot);
}

/**
 * MLflow's SQLite store, row for row: any MLflow 3 reads what is written here, and the other way round.
 * Calls are carried out in the order they were made. While the database is locked they wait, but never block the event loop for long.
 */
export class SqliteStore
  implements
    TrackingStore,
    GroupingStore,
    DatasetSearch,
    MetricSummaries,
    MetricSeriesReader,
    RegistryOwner,
    RunFieldsSearch,
    RunMover,
    RunRemoval
{
  readonly #connection: SqliteAccess;
  readonly #artifactRoot: string;

  constructor(connection: SqliteAccess, artifactRoot: string) {
    this.#connection = connection;
    this.#artifactRoot = artifactRoot;
  }

  /** MLflow's revision of the tables at this moment (`alembic_version`); another one than before: MLflow migrated the database. */
  revision(): string {
    return this.#connection.revision();
  }

  async createExperiment(request: CreateExperimentRequest): Promise<string> {
    checkExperimentName(request.name);
    if (request.artifactLocation !== undefined) checkArtifactLocation(request.artifactLocation);
    request.tags?.forEach(checkExperimentTag);
    return this.#connection.write((db) => experiments.createExperiment(db, request, this.#artifactRoot));
  }

  getExperiment(experimentId: string): Promise<Experiment> {
    return this.#connection.read((db) => experiments.getExperiment(db, experimentId));
  }

  getExperimentByName(name: string): Promise<Experiment | undefined> {
    return this.#connection.read((db) => experiments.getExperimentByName(db, name));
  }

  searchExperiments(query: SearchExperimentsQuery): Promise<Page<Experiment>> {
    return this.#connection.read((db) => searchExperiments(db, query));
  }

  async renameExperiment(experimentId: string, name: string): Promise<void> {
    checkExperimentName(name);
    return this.#connection.write((db) => experiments.renameExperiment(db, experimentId, name));
  }

  deleteExperiment(experimentId: string): Promise<void> {
    return this.#connection.write((db) => experiments.deleteExperiment(db, experimentId));
  }

  restoreExperiment(experimentId: string): Promise<void> {
    return this.#connection.write((db) => experiments.restoreExperiment(db, experimentId));
  }

  async setExperimentTag(experimentId: string, tag: Tag): Promise<void> {
    checkExperimentTag(tag);
    return this.#connection.write((db) => experiments.setExperimentTag(db, experimentId, tag));
  }

  deleteExperimentTag(experimentId: string, key: string): Promise<void> {
    return this.#connection.write((db) => experiments.deleteExperimentTag(db, experimentId, key));
  }

  async createRun(request: CreateRunRequest): Promise<Run> {
    const runId = request.runId ?? newRunId();
    checkRunId(runId);
    checkRunTag({ key: mlflowTags.runName, value: request.runName });
    request.tags.forEach(checkRunTag);
    return this.#connection.write((db) => runs.createRun(db, { ...request, runId }));
  }

  getRun(runId: string): Promise<Run> {
    return this.#connection.read((db) => runs.getRun(db, runId));
  }

  findRunIds(prefix: string, limit: number): Promise<readonly string[]> {
    return this.#connection.read((db) => runs.findRunIds(db, prefix, limit));
  }

  async updateRun(runId: string, request: UpdateRunRequest): Promise<RunInfo> {
    if (request.runName !== undefined) checkRunTag({ key: mlflowTags.runName, value: request.runName });
    return this.#connection.write((db) => runs.updateRun(db, runId, request));
  }

  moveRun(runId: string, experimentId: string): Promise<void> {
    return this.#connection.write((db) => runs.moveRun(db, runId, experimentId));
  }

  deleteRun(runId: string): Promise<void> {
    return this.#connection.write((db) => runs.deleteRun(db, runId));
  }

  restoreRun(runId: string): Promise<void> {
    return this.#connection.write((db) => runs.restoreRun(db, runId));
  }

  listDeletedRuns(): Promise<readonly DeletedRun[]> {
    return this.#connection.read(removal.listDeletedRuns);
  }

  removeRun(runId: string): Promise<void> {
    return this.#connection.write((db) => removal.removeRun(db, runId));
  }

  searchRuns(query: SearchRunsQuery): Promise<Page<Run>> {
    return this.#connection.read((db) => searchRuns(db, query));
  }

  searchRunFields(query: SearchRunsQuery, fields: RunFields): Promise<Page<Run>> {
    return this.#connection.read((db) => searchRuns(db, query, fields));
  }

  async logBatch(runId: string, request: LogBatchRequest): Promise<void> {
    request.params?.forEach(checkParam);
    checkMetrics(request.metrics ?? []);
    request.tags?.forEach(checkRunTag);
    return this.#connection.write((db) => logBatch(db, runId, request));
  }

  deleteTag(runId: string, key: string): Promise<void> {
    return this.#connection.write((db) => runs.deleteRunTag(db, runId, key));
  }

  getMetricHistory(
    runId: string,
    key: string,
    page: { readonly maxResults?: number; readonly pageToken?: string } = {},
  ): Promise<Page<Metric>> {
    return this.#connection.read((db) => readMetricHistory(db, { runId, key, ...page }));
  }

  getMetricSummaries(runId: string, options: { readonly seriesLength: number }): Promise<readonly MetricSummary[]> {
    return this.#connection.read((db) => readMetricSummaries(db, runId, options.seriesLength));
  }

  async getMetricSeries(runId: string, keys: readonly string[]): Promise<readonly MetricSeries[]> {
    const { readMetricSeries } = await import("./metric-series.ts");
    return this.#connection.read((db) => readMetricSeries(db, runId, keys));
  }

  async logInputs(runId: string, datasets: readonly DatasetInput[], modelIds: readonly string[]): Promise<void> {
    datasets.forEach(checkDatasetInput);
    return this.#connection.write((db) => logInputs(db, runId, datasets, modelIds));
  }

  logOutputs(runId: string, outputs: readonly { readonly modelId: string; readonly step: number }[]): Promise<void> {
    return this.#connection.write((db) => logOutputs(db, runId, outputs));
  }

  async createLoggedModel(request: CreateLoggedModelRequest): Promise<LoggedModel> {
    const modelId = request.modelId ?? `m-${randomHex(16)}`;
    checkRunId(modelId);
    if (request.name !== undefined) checkLoggedModelName(request.name);
    return this.#connection.write((db) =>
      models.createLoggedModel(db, { ...request, modelId, name: request.name ?? randomRunName() }),
    );
  }

  getLoggedModel(modelId: string): Promise<LoggedModel> {
    return this.#connection.read((db) => models.getLoggedModel(db, modelId));
  }

  finalizeLoggedModel(modelId: string, status: LoggedModelStatus): Promise<LoggedModel> {
    return this.#connection.write((db) => models.finalizeLoggedModel(db, modelId, status));
  }

  logLoggedModelParams(modelId: string, params: readonly Param[]): Promise<void> {
    return this.#connection.write((db) => models.logLoggedModelParams(db, modelId, params));
  }

  setLoggedModelTags(modelId: string, tags: readonly Tag[]): Promise<void> {
    return this.#connection.write((db) => models.setLoggedModelTags(db, modelId, tags));
  }

  deleteLoggedModelTag(modelId: string, key: string): Promise<void> {
    return this.#connection.write((db) => models.deleteLoggedModelTag(db, modelId, key));
  }

  deleteLoggedModel(modelId: string): Promise<void> {
    return this.#connection.write((db) => models.deleteLoggedModel(db, modelId));
  }

  async searchLoggedModels(query: SearchLoggedModelsQuery): Promise<Page<LoggedModel>> {
    const { searchLoggedModels } = await import("./search-logged-models.ts");
    return this.#connection.read((db) => searchLoggedModels(db, query));
  }

  async searchDatasets(experimentIds: readonly string[]): Promise<readonly DatasetSummary[]> {
    const { searchDatasets } = await import("./search-datasets.ts");
    return this.#connection.read((db) => searchDatasets(db, experimentIds));
  }

  async openRegistry(): Promise<RegistryStore> {
    const { SqliteRegistryStore } = await import("./sqlite-registry-store.ts");
    return new SqliteRegistryStore(this.#connection);
  }

  together<Result>(work: (store: TrackingStore) => Promise<Result>): Promise<Result> {
    return this.#connection.together((transaction) => work(new SqliteStore(transaction, this.#artifactRoot)));
  }

  /** Carries out what was asked for before, then closes. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#connection.close();
  }
}
