import type { DatasetInput } from "../entities/dataset.ts";
import type { Experiment } from "../entities/experiment.ts";
import type { Metric } from "../entities/metric.ts";
import { mlflowTags } from "../entities/tag-keys.ts";
import type { Param } from "../entities/param.ts";
import type { RunStatus } from "../entities/run-status.ts";
import type { Run } from "../entities/run.ts";
import type { Tag } from "../entities/tag.ts";
import { truncateParamValue, truncateTagValue } from "../entities/validation.ts";
import type { Page, SearchExperimentsQuery, SearchRunsQuery, TrackingStore } from "../store/tracking-store.ts";
import {
  checkGivenRunId,
  checkMetricValue,
  checkName,
  checkOptionalText,
  checkOptions,
  checkRecord,
  checkStatus,
  checkStep,
  checkText,
  checkTimestamp,
  experimentIdOf,
  type TextValue,
  textOf,
  toTags,
} from "./argument-checks.ts";
import type { MetricOptions } from "./log-calls.ts";
import { askStore, openSession } from "./session.ts";
import { userName } from "./user-name.ts";

export interface ClientRunOptions {
  readonly runName?: string;
  readonly tags?: Readonly<Record<string, TextValue>>;
  /** ms since the epoch, by default now. */
  readonly startTime?: number;
}

export interface Batch {
  readonly metrics?: readonly Metric[];
  readonly params?: readonly Param[];
  readonly tags?: readonly Tag[];
}

/**
 * MLflow's `MlflowClient` for runs and experiments: it knows no active run, each call names its own, is answered when it is safe in the
 * journal, and rejects with `StoreError` and MLflow's error code. Runs that it has made and not ended are ended when the program ends.
 */
export class TrackingClient {
  readonly #trackingUri: string | undefined;

  /** `trackingUri`: by default the one in force when a call is made. */
  constructor(options: { readonly trackingUri?: string } = {}) {
    checkOptions("TrackingClient", options, ["trackingUri"]);
    checkOptionalText("trackingUri", options.trackingUri);
    this.#trackingUri = options.trackingUri;
  }

  /** Resolves to the new id. `RESOURCE_ALREADY_EXISTS` for a name in use, deleted experiments included. */
  async createExperiment(
    name: string,
    options: { readonly artifactLocation?: string; readonly tags?: Readonly<Record<string, TextValue>> } = {},
  ): Promise<string> {
    checkText("name", name);
    checkOptions("createExperiment", options, ["artifactLocation", "tags"]);
    const { artifactLocation, tags = {} } = options;
    checkOptionalText("artifactLocation", artifactLocation);
    const location = artifactLocation === undefined ? {} : { artifactLocation };
    return await this.#ask((store) => store.createExperiment({ name, ...location, tags: toTags(tags) }));
  }

  /** Of any lifecycle stage. */
  async getExperiment(experimentId: string): Promise<Experiment> {
    const id = experimentIdOf(experimentId);
    return await this.#ask((store) => store.getExperiment(id));
  }

  /** Of any lifecycle stage; `undefined` where there is none. */
  async getExperimentByName(name: string): Promise<Experiment | undefined> {
    checkText("name", name);
    return await this.#ask((store) => store.getExperimentByName(name));
  }

  /** One page of at most 1,000, or `maxResults`. */
  async searchExperiments(query: SearchExperimentsQuery = {}): Promise<Page<Experiment>> {
    return await this.#ask((store) => store.searchExperiments(query));
  }

  async renameExperiment(experimentId: string, newName: string): Promise<void> {
    checkText("newName", newName);
    await this.#ask((store) => store.renameExperiment(experimentIdOf(experimentId), newName));
  }

  /** With all its runs; `restoreExperiment` brings both back. */
  async deleteExperiment(experimentId: string): Promise<void> {
    await this.#ask((store) => store.deleteExperiment(experimentIdOf(experimentId)));
  }

  async restoreExperiment(experimentId: string): Promise<void> {
    await this.#ask((store) => store.restoreExperiment(experimentIdOf(experimentId)));
  }

  async setExperimentTag(experimentId: string, key: string, value: TextValue): Promise<void> {
    checkName("tag", key);
    const tag = { key, value: textOf("tag", key, value) };
    await this.#ask((store) => store.setExperimentTag(experimentIdOf(experimentId), tag));
  }

  /** Makes a run that is RUNNING and no active run of anybody's. */
  async createRun(experimentId: string, options: ClientRunOptions = {}): Promise<Run> {
    checkOptions("createRun", options, ["runName", "tags", "startTime"]);
    const { runName = "", tags = {}, startTime = Date.now() } = options;
    checkText("runName", runName);
    const said = toTags(tags);
    const userId = said.find(({ key }) => key === mlflowTags.user)?.value ?? userName();
    const id = experimentIdOf(experimentId);
    checkTimestamp(startTime);
    return await this.#ask((store) => store.createRun({ experimentId: id, userId, startTime, runName, tags: said }));
  }

  async getRun(runId: string): Promise<Run> {
    return await this.#askOf(runId, (store) => store.getRun(runId));
  }

  /** `endTime` in ms since the epoch, by default now. */
  async setTerminated(runId: string, status: RunStatus = "FINISHED", endTime = Date.now()): Promise<void> {
    checkStatus(status);
    checkTimestamp(endTime);
    await this.#askOf(runId, (store) => store.updateRun(runId, { status, endTime }));
  }

  async renameRun(runId: string, runName: string): Promise<void> {
    checkText("runName", runName);
    await this.#askOf(runId, (store) => store.updateRun(runId, { runName }));
  }

  async deleteRun(runId: string): Promise<void> {
    await this.#askOf(runId, (store) => store.deleteRun(runId));
  }

  async restoreRun(runId: string): Promise<void> {
    await this.#askOf(runId, (store) => store.restoreRun(runId));
  }

  async logMetric(runId: string, key: string, value: number, options: MetricOptions = {}): Promise<void> {
    checkOptions("logMetric", options, ["step", "timestamp"]);
    const { step = 0, timestamp = Date.now() } = options;
    await this.logBatch(runId, { metrics: [{ key, value, step, timestamp }] });
  }

  async logParam(runId: string, key: string, value: TextValue): Promise<void> {
    checkName("param", key);
    await this.logBatch(runId, { params: [{ key, value: textOf("param", key, value) }] });
  }

  async setTag(runId: string, key: string, value: TextValue): Promise<void> {
    checkName("tag", key);
    await this.logBatch(runId, { tags: [{ key, value: textOf("tag", key, value) }] });
  }

  /** Any number of points, params and tags at once; too long values of params and tags are cut, as MLflow does (contract 3). */
  async logBatch(runId: string, batch: Batch): Promise<void> {
    checkOptions("logBatch", batch, ["metrics", "params", "tags"]);
    const checked = checkedBatch(batch);
    await this.#askOf(runId, (store) => store.logBatch(runId, checked));
  }

  async deleteTag(runId: string, key: string): Promise<void> {
    checkText("key", key);
    await this.#askOf(runId, (store) => store.deleteTag(runId, key));
  }

  async logInputs(runId: string, datasets: readonly DatasetInput[]): Promise<void> {
    await this.#askOf(runId, (store) => store.logInputs(runId, datasets, []));
  }

  /** One page; without `maxResults`, as many points as the store gives at once. */
  async getMetricHistory(
    runId: string,
    key: string,
    page: { readonly maxResults?: number; readonly pageToken?: string } = {},
  ): Promise<Page<Metric>> {
    checkText("key", key);
    return await this.#askOf(runId, (store) => store.getMetricHistory(runId, key, page));
  }

  /** One page of at most 1,000, or `maxResults`. */
  async searchRuns(query: SearchRunsQuery): Promise<Page<Run>> {
    checkRecord("query", query);
    return await this.#ask((store) => store.searchRuns(query));
  }

  async #askOf<Answer>(runId: string, ask: (store: TrackingStore) => Promise<Answer>): Promise<Answer> {
    checkGivenRunId(runId);
    return await this.#ask(ask);
  }

  #ask<Answer>(ask: (store: TrackingStore) => Promise<Answer>): Promise<Answer> {
    return askStore(ask, this.#trackingUri === undefined ? openSession() : openSession(this.#trackingUri));
  }
}

function checkedBatch({ metrics = [], params = [], tags = [] }: Batch): Batch {
  for (const { key, value, step, timestamp } of metrics) {
    checkName("metric", key);
    checkMetricValue(key, value);
    checkStep(step);
    checkTimestamp(timestamp);
  }
  const texts = (kind: "param" | "tag", pairs: readonly Param[]) =>
    pairs.map(({ key, value }) => {
      checkName(kind, key);
      checkText("value", value);
      return { key, value: (kind === "param" ? truncateParamValue(value) : truncateTagValue(value)).value };
    });
  return { metrics, params: texts("param", params), tags: texts("tag", tags) };
}
