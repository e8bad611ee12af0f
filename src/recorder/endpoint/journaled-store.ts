import type { DatasetInput } from "../../entities/dataset.ts";
import type { Experiment } from "../../entities/experiment.ts";
import type { StoreOperation } from "../../entities/journal-entry.ts";
import type { LoggedModel, LoggedModelStatus } from "../../entities/logged-model.ts";
import type { Metric } from "../../entities/metric.ts";
import type { Param } from "../../entities/param.ts";
import { isTerminalStatus } from "../../entities/run-status.ts";
import type { Run, RunInfo } from "../../entities/run.ts";
import type { Tag } from "../../entities/tag.ts";
import { checkDatasetInput, checkExperimentName, checkExperimentTag } from "../../entities/validation.ts";
import { doesNotExist, StoreError } from "../../errors.ts";
import type {
  CreateExperimentRequest,
  CreateLoggedModelRequest,
  CreateRunRequest,
  DatasetSearch,
  DatasetSummary,
  LogBatchRequest,
  Page,
  SearchExperimentsQuery,
  SearchLoggedModelsQuery,
  SearchRunsQuery,
  TrackingStore,
  UpdateRunRequest,
} from "../../store/tracking-store.ts";
import { hasDatasetSearch } from "../../store/tracking-store.ts";
import { removeLifeTags } from "../program-life.ts";
import { createLoggedModel, withModel } from "./journaled-models.ts";
import { createRun } from "./create-run.ts";
import type { EndpointState } from "./endpoint-state.ts";
import { readHistory } from "./metric-history.ts";
import { searchFamily } from "./search-family.ts";
import { searchOwnModels } from "./search-models.ts";
import { checkBatch, withCutValues } from "./request-checks.ts";

/**
 * A tracking store for one client of the endpoint: what is written is checked as MLflow does, put into the journal, and done once it
 * survives `kill -9`; what was written is read from memory. Only what nobody said here is looked up in the store.
 */
export class JournaledStore implements TrackingStore, DatasetSearch {
  readonly #state: EndpointState;
  readonly #port: number;

  constructor(state: EndpointState, port: number) {
    this.#state = state;
    this.#port = port;
  }

  async createExperiment(request: CreateExperimentRequest): Promise<string> {
    const experimentId = await this.#state.experiments.create(request);
    this.#state.chosen.lookedUp(this.#pid, experimentId);
    return experimentId;
  }

  async getExperiment(experimentId: string): Promise<Experiment> {
    const experiment = await this.#state.experiments.get(experimentId);
    this.#state.chosen.lookedUp(this.#pid, experimentId);
    return experiment;
  }

  async getExperimentByName(name: string): Promise<Experiment | undefined> {
    const experiment = await this.#state.experiments.getByName(name);
    if (experiment !== undefined) this.#state.chosen.lookedUp(this.#pid, experiment.experimentId);
    return experiment;
  }

  searchExperiments(query: SearchExperimentsQuery): Promise<Page<Experiment>> {
    return this.#state.access.read((store) => store.searchExperiments(query));
  }

  async renameExperiment(experimentId: string, name: string): Promise<void> {
    checkExperimentName(name);
    const { lifecycleStage, name: present } = await this.#state.experiments.get(experimentId);
    if (lifecycleStage !== "active") throw new StoreError("INVALID_STATE", "Cannot rename a non-active experiment.");
    if (present !== name && (await this.#state.experiments.getByName(name)) !== undefined) {
      throw new StoreError("RESOURCE_ALREADY_EXISTS", `Experiment(name=${name}) already exists.`);
    }
    await this.#changeExperiment({ op: "rename-experiment", experimentId, name });
  }

  async deleteExperiment(experimentId: string): Promise<void> {
    await this.#needStage(experimentId, "active");
    await this.#changeExperiment({ op: "delete-experiment", experimentId });
  }

  async restoreExperiment(experimentId: string): Promise<void> {
    await this.#needStage(experimentId, "deleted");
    await this.#changeExperiment({ op: "restore-experiment", experimentId });
  }

  async setExperimentTag(experimentId: string, tag: Tag): Promise<void> {
    checkExperimentTag(tag);
    await this.#state.experiments.active(experimentId);
    await this.#changeExperiment({ op: "set-experiment-tag", experimentId, ...tag });
  }

  async deleteExperimentTag(experimentId: string, key: string): Promise<void> {
    const { tags } = await this.#state.experiments.get(experimentId);
    if (!tags.some((tag) => tag.key === key)) {
      throw doesNotExist(`No tag with name: ${key} in experiment with id ${experimentId}`);
    }
    await this.#changeExperiment({ op: "delete-experiment-tag", experimentId, key });
  }

  async createRun(request: CreateRunRequest): Promise<Run> {
    const run = await createRun(this.#state, request);
    await this.#state.recording.written();
    return run;
  }

  async getRun(said: string): Promise<Run> {
    const { own, runs, access, recording } = this.#state;
    const runId = this.#state.ids.toJournal(said);
    if (runId === own.id) return own.run(this.#chosenId);
    const known = runs.get(runId);
    if (known?.isOurs === true || (recording.isServer && this.#state.isFamily(runId)))
      return (await this.#state.find(runId)).run;
    return access.read((store) => store.getRun(recording.ids.toStore(runId)));
  }

  findRunIds(prefix: string, limit: number): Promise<readonly string[]> {
    return this.#state.access.read((store) => store.findRunIds(prefix, limit));
  }

  async updateRun(said: string, request: UpdateRunRequest): Promise<RunInfo> {
    const { own, recording } = this.#state;
    const runId = this.#state.ids.toJournal(said);
    if (runId === own.id) {
      const isFirst = !own.isTaken;
      own.update(request);
      if (isFirst && request.status === "RUNNING") await this.#moveToChosen();
      await recording.written();
      return own.info(this.#chosenId);
    }
    const known = await this.#state.find(runId);
    refuseDeleted(known.info);
    if (request.status !== undefined && isTerminalStatus(request.status)) removeLifeTags(recording, runId);
    recording.live.write({ op: "update-run", runId, ...request });
    await recording.written();
    return known.info;
  }

  deleteRun(said: string): Promise<void> {
    const runId = this.#state.ids.toJournal(said);
    return this.#write({ op: "delete-run", runId });
  }

  restoreRun(said: string): Promise<void> {
    const runId = this.#state.ids.toJournal(said);
    return this.#write({ op: "restore-run", runId });
  }

  searchRuns(query: SearchRunsQuery): Promise<Page<Run>> {
    this.#state.chosen.searched(this.#pid, query.experimentIds);
    // What only a server can answer has not come here.
    if (this.#state.recording.isServer) return searchFamily(this.#state, query);
    return this.#state.access.read((store) => store.searchRuns(query));
  }

  async logBatch(said: string, request: LogBatchRequest): Promise<void> {
    const { own, recording } = this.#state;
    const runId = this.#state.ids.toJournal(said);
    checkBatch(request);
    if (runId === own.id) {
      own.logBatch(request, { port: this.#port });
      return recording.written();
    }
    const known = await this.#state.find(runId);
    refuseDeleted(known.info);
    const cut = withCutValues(request);
    const { params = [] } = cut;
    const write = (): void => recording.live.writeRequest(runId, cut);
    if (params.length === 0) write();
    else await this.#state.params.pass(runId, params, write);
    await recording.written();
  }

  async deleteTag(said: string, key: string): Promise<void> {
    const { own, recording } = this.#state;
    const runId = this.#state.ids.toJournal(said);
    if (runId === own.id) own.deleteTag(key);
    else {
      const known = await this.#state.find(runId);
      refuseDeleted(known.info);
      if (!known.tags.has(key)) throw doesNotExist(`No tag with name: ${key} in run with id ${runId}`);
      recording.live.write({ op: "delete-tag", runId, key });
    }
    await recording.written();
  }

  getMetricHistory(
    said: string,
    key: string,
    page: { readonly maxResults?: number; readonly pageToken?: string } = {},
  ): Promise<Page<Metric>> {
    return readHistory(this.#state, { runId: this.#state.ids.toJournal(said), key, ...page });
  }

  async logInputs(said: string, datasets: readonly DatasetInput[], modelIds: readonly string[]): Promise<void> {
    datasets.forEach(checkDatasetInput);
    const runId = this.#state.ids.toJournal(said);
    await this.#write({ op: "log-inputs", runId, datasets, modelIds });
  }

  logOutputs(said: string, models: readonly { readonly modelId: string; readonly step: number }[]): Promise<void> {
    const runId = this.#state.ids.toJournal(said);
    return this.#write({ op: "log-outputs", runId, models });
  }

  createLoggedModel(request: CreateLoggedModelRequest): Promise<LoggedModel> {
    return createLoggedModel(this.#state, request);
  }

  async getLoggedModel(modelId: string): Promise<LoggedModel> {
    return withModel(this.#state, modelId);
  }

  async finalizeLoggedModel(modelId: string, status: LoggedModelStatus): Promise<LoggedModel> {
    const model = await withModel(this.#state, modelId);
    await this.#writeModel({ op: "finalize-logged-model", modelId, status });
    return this.#state.models.get(modelId) ?? { ...model, status };
  }

  async logLoggedModelParams(modelId: string, params: readonly Param[]): Promise<void> {
    await withModel(this.#state, modelId);
    this.#state.models.checkParams(modelId, params);
    await this.#writeModel({ op: "log-logged-model-params", modelId, params });
  }

  async setLoggedModelTags(modelId: string, tags: readonly Tag[]): Promise<void> {
    await withModel(this.#state, modelId);
    await this.#writeModel({ op: "set-logged-model-tags", modelId, tags });
  }

  async deleteLoggedModelTag(modelId: string, key: string): Promise<void> {
    const { tags } = await withModel(this.#state, modelId);
    if (!tags.some((tag) => tag.key === key)) {
      throw doesNotExist(`No tag with key '${key}' found for model with ID '${modelId}'.`);
    }
    await this.#writeModel({ op: "delete-logged-model-tag", modelId, key });
  }

  async deleteLoggedModel(modelId: string): Promise<void> {
    await withModel(this.#state, modelId);
    await this.#writeModel({ op: "delete-logged-model", modelId });
  }

  async searchLoggedModels(query: SearchLoggedModelsQuery): Promise<Page<LoggedModel>> {
    if (this.#state.recording.isServer) return { items: await searchOwnModels(this.#state, query) };
    return await this.#state.access.read((store) => store.searchLoggedModels(query));
  }

  searchDatasets(experimentIds: readonly string[]): Promise<readonly DatasetSummary[]> {
    return this.#state.access.read(async (store) => {
      return hasDatasetSearch(store) ? await store.searchDatasets(experimentIds) : [];
    });
  }

  /** The recorder's store stays open. */
  async [Symbol.asyncDispose](): Promise<void> {}

  /** Looked up only where the answer depends on it: it costs some ms. */
  get #pid(): number | undefined {
    return this.#state.peers.pidOf(this.#port);
  }

  get #chosenId(): string | undefined {
    const { chosen } = this.#state;
    return chosen.isEmpty ? undefined : chosen.of(this.#pid);
  }

  /** The first process to take the run up has chosen an experiment before: that is where the run belongs. */
  async #moveToChosen(): Promise<void> {
    const experimentId = this.#chosenId;
    const { own, experiments } = this.#state;
    if (experimentId === undefined || experimentId === own.experimentId) return;
    own.moveTo(experimentId, (await experiments.active(experimentId)).name);
  }

  async #write(
    operation: Extract<StoreOperation, { readonly op: "log-inputs" | "log-outputs" | "delete-run" | "restore-run" }>,
  ): Promise<void> {
    const { own, recording } = this.#state;
    const { runId } = operation;
    if (runId === own.id) own.write(operation);
    else {
      const { info } = await this.#state.find(runId);
      if (operation.op === "log-inputs" || operation.op === "log-outputs") refuseDeleted(info);
      recording.live.write(operation);
    }
    await recording.written();
  }

  async #writeModel(operation: StoreOperation): Promise<void> {
    this.#state.recording.live.write(operation);
    await this.#state.recording.written();
  }

  async #needStage(experimentId: string, stage: string): Promise<void> {
    const { lifecycleStage } = await this.#state.experiments.get(experimentId);
    if (lifecycleStage !== stage) throw doesNotExist(`No Experiment with id=${experimentId} exists`);
  }

  async #changeExperiment(operation: StoreOperation & { readonly experimentId: string }): Promise<void> {
    this.#state.experiments.forget(operation.experimentId);
    this.#state.recording.live.write(operation);
    await this.#state.recording.written();
  }
}

function refuseDeleted({ runId, lifecycleStage }: RunInfo): void {
  if (lifecycleStage === "active") return;
  throw new StoreError(
    "INVALID_PARAMETER_VALUE",
    `The run ${runId} must be in the 'active' state. Current state is ${lifecycleStage}.`,
  );
}
