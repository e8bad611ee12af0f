import type { ArtifactRepository } from "../../artifacts/artifact-repository.ts";
import type { Experiment } from "../../entities/experiment.ts";
import type { LoggedModel } from "../../entities/logged-model.ts";
import type { Metric } from "../../entities/metric.ts";
import type { Param } from "../../entities/param.ts";
import type { Run } from "../../entities/run.ts";
import { isTerminalStatus } from "../../entities/run-status.ts";
import { mlflowTags, trackTags } from "../../entities/tag-keys.ts";
import type { Tag } from "../../entities/tag.ts";
import { truncateParamValue, truncateTagValue } from "../../entities/validation.ts";
import { StoreError } from "../../errors.ts";
import type { TrackingStore } from "../../store/tracking-store.ts";
import { messageOf } from "../../util/error-code.ts";
import { ExperimentMap } from "./experiment-map.ts";
import type { ImportSource } from "./import-source.ts";
import { ModelMap } from "./model-map.ts";
import { walkArtifacts } from "./read-run.ts";
import type { TransferRecord } from "./transfer-record.ts";

/** `new`: it was not there; `known`: it was, and has what was missing; `skipped`: nothing of it was taken, for the reason given. */
export interface ImportedRun {
  readonly sourceRunId: string;
  readonly runId?: string;
  readonly result: "new" | "known" | "skipped";
  readonly reason?: string;
}

export interface RunImporterOptions {
  readonly store: TrackingStore;
  /** False for a tracking server, which makes ids of its own: a run is then found again by its tag. */
  readonly keepsIds: boolean;
  readonly withArtifacts: boolean;
  openArtifacts(artifactUri: string): Promise<ArtifactRepository>;
  /** A run that is being recorded here: its own recorder has the last word. */
  isAlive(run: Run): boolean;
  /** What could not be taken as it was, one line. */
  warn(text: string): void;
}

interface OpenRun {
  readonly source: Run;
  readonly target: Run;
  readonly isNew: boolean;
  /** Metrics of the run's models, by point. */
  readonly modelMetrics: Map<string, Metric[]>;
}

/** Writes records into a store. Taking the same records again changes nothing, and completes what was cut short. */
export class RunImporter {
  readonly imported: ImportedRun[] = [];
  readonly #options: RunImporterOptions;
  readonly #source: ImportSource;
  readonly #experiments: ExperimentMap;
  readonly #models: ModelMap;
  readonly #runIds = new Map<string, string>();
  #open: OpenRun | undefined;

  constructor(source: ImportSource, options: RunImporterOptions) {
    this.#source = source;
    this.#options = options;
    this.#experiments = new ExperimentMap(options.store);
    this.#models = new ModelMap(options.store, options.keepsIds);
  }

  /** Id of a run whose records have begun and not ended. */
  get unfinished(): string | undefined {
    return this.#open?.source.info.runId;
  }

  /** The ids here of the models that were taken, by those of the source. */
  get modelIds(): Readonly<Record<string, string>> {
    return this.#models.ids;
  }

  async take(record: TransferRecord): Promise<void> {
    if (record.type === "experiment") return void (await this.#experiments.find(record.experiment));
    if (record.type === "run") return this.#begin(record.run, record.experiment);
    const open = this.#open;
    if (open?.source.info.runId !== record.runId) return;
    switch (record.type) {
      case "model":
        return this.#takeModel(open, record.model);
      case "metrics":
        return this.#takeMetrics(open, record.metrics);
      case "artifact":
        return;
      case "end":
        await this.#end(open);
        this.#open = undefined;
    }
  }

  /** Deletes what is deleted in the source, once all of it is there. */
  async finish(): Promise<void> {
    await this.#experiments.finish();
  }

  async #begin(source: Run, experiment: Experiment): Promise<void> {
    this.#open = undefined;
    const sourceRunId = source.info.runId;
    const target = await this.#experiments.find(experiment);
    const skip = (reason: string): void => void this.imported.push({ sourceRunId, result: "skipped", reason });
    if (target.lifecycleStage === "deleted") {
      return skip(`experiment ${target.name} is deleted here: track experiments restore ${target.experimentId}`);
    }
    const known = await this.#findRun(sourceRunId, target.experimentId);
    if (known?.info.lifecycleStage === "deleted") {
      if (source.info.lifecycleStage === "deleted")
        this.imported.push({ sourceRunId, runId: known.info.runId, result: "known" });
      else skip("it is deleted here");
      return;
    }
    if (known !== undefined && this.#options.isAlive(known)) return skip("it is alive");
    const run = known ?? (await this.#createRun(source, target.experimentId));
    const { runId } = run.info;
    this.#runIds.set(sourceRunId, runId);
    this.imported.push({ sourceRunId, runId, result: known === undefined ? "new" : "known" });
    this.#open = { source, target: run, isNew: known === undefined, modelMetrics: new Map() };
    if (known !== undefined) await this.#addTags(this.#open);
    await this.#addParams(this.#open);
  }

  async #findRun(sourceRunId: string, experimentId: string): Promise<Run | undefined> {
    const { store, keepsIds } = this.#options;
    if (!keepsIds) {
      const filter = `tags.\`${trackTags.importedRunId}\` = '${sourceRunId}'`;
      const page = await store.searchRuns({ experimentIds: [experimentId], filter, viewType: "ALL", maxResults: 1 });
      return page.items[0];
    }
    try {
      return await store.getRun(sourceRunId);
    } catch (error) {
      if (error instanceof StoreError && error.errorCode === "RESOURCE_DOES_NOT_EXIST") return undefined;
      throw error;
    }
  }

  async #createRun(source: Run, experimentId: string): Promise<Run> {
    const { runId, runName, userId, startTime } = source.info;
    const { store, keepsIds } = this.#options;
    const imported = keepsIds ? [] : [{ key: trackTags.importedRunId, value: runId }];
    return await store.createRun({
      experimentId,
      ...(keepsIds && { runId }),
      userId,
      startTime,
      runName,
      tags: [...this.#tagsOf(source), ...imported],
    });
  }

  /** Values as MLflow takes them; the parent under its id here. */
  #tagsOf(source: Run): readonly Tag[] {
    return source.data.tags.map(({ key, value }) => {
      if (key === mlflowTags.parentRunId) return { key, value: this.#runIds.get(value) ?? value };
      return { key, value: truncateTagValue(value).value };
    });
  }

  /** Of a run that has ended here a tag may have been changed since; one that was taken while it ran is brought up to date. */
  async #addTags({ source, target }: OpenRun): Promise<void> {
    const known = new Map(target.data.tags.map(({ key, value }) => [key, value]));
    const isOver = isTerminalStatus(target.info.status);
    const tags = this.#tagsOf(source).filter(
      ({ key, value }) => !known.has(key) || (!isOver && known.get(key) !== value),
    );
    if (tags.length > 0) await this.#options.store.logBatch(target.info.runId, { tags });
  }

  /** Params are written once: one that differs here stays as it is. */
  async #addParams({ source, target }: OpenRun): Promise<void> {
    const known = new Map(target.data.params.map(({ key, value }) => [key, value]));
    const params: Param[] = [];
    for (const { key, value: whole } of source.data.params) {
      const { value } = truncateParamValue(whole);
      const there = known.get(key);
      if (there === undefined) params.push({ key, value });
      else if (there !== value.toWellFormed()) {
        this.#options.warn(
          `run ${target.info.runId.slice(0, 8)}: param ${key} stays ${there}, the source has ${value}`,
        );
      }
    }
    if (params.length > 0) await this.#options.store.logBatch(target.info.runId, { params });
  }

  async #takeModel(open: OpenRun, model: LoggedModel): Promise<void> {
    const sourceRunId =
      model.sourceRunId === undefined ? undefined : (this.#runIds.get(model.sourceRunId) ?? model.sourceRunId);
    const experimentId = open.target.info.experimentId;
    const target = await this.#models.find({
      ...model,
      experimentId,
      ...(sourceRunId !== undefined && { sourceRunId }),
    });
    for (const metric of model.metrics) {
      if (metric.runId !== undefined && metric.runId !== open.source.info.runId) continue;
      const points = open.modelMetrics.get(pointKey(metric)) ?? [];
      open.modelMetrics.set(pointKey(metric), [...points, { ...metric, modelId: target.modelId }]);
    }
    if (!this.#options.withArtifacts) return;
    await this.#copyArtifacts(
      `model ${model.modelId}`,
      () => this.#source.openModelArtifacts(model),
      target.artifactLocation,
    );
  }

  /** A point that is one of a model's as well is said with the model; a repeat of a point is dropped by the store. */
  async #takeMetrics({ target, modelMetrics }: OpenRun, points: readonly Metric[]): Promise<void> {
    const metrics = points.flatMap((point) => modelMetrics.get(pointKey(point)) ?? [point]);
    await this.#options.store.logBatch(target.info.runId, { metrics: metrics.map(withoutRun) });
  }

  async #end(open: OpenRun): Promise<void> {
    const { store, withArtifacts } = this.#options;
    const { source, target } = open;
    const { runId } = target.info;
    const { datasetInputs, modelIds } = source.inputs;
    if (datasetInputs.length > 0 || modelIds.length > 0) {
      await store.logInputs(
        runId,
        datasetInputs,
        modelIds.map((id) => this.#models.targetId(id)),
      );
    }
    const outputs = source.outputs.models.map(({ modelId, step }) => ({
      modelId: this.#models.targetId(modelId),
      step,
    }));
    if (outputs.length > 0) await store.logOutputs(runId, outputs);
    if (withArtifacts) {
      await this.#copyArtifacts(
        `run ${source.info.runId.slice(0, 8)}`,
        () => this.#source.openRunArtifacts(source),
        target.info.artifactUri,
      );
    }
    const { status, endTime } = source.info;
    const isTurningBack = isTerminalStatus(target.info.status) && !isTerminalStatus(status);
    if (!isTurningBack && (status !== target.info.status || endTime !== target.info.endTime)) {
      await store.updateRun(runId, { status, ...(endTime !== undefined && { endTime }) });
    }
    if (source.info.lifecycleStage === "deleted") await store.deleteRun(runId);
  }

  /** What cannot be copied is told and left: the numbers are worth having without it. */
  async #copyArtifacts(
    what: string,
    openSource: () => Promise<ArtifactRepository | undefined>,
    targetUri: string,
  ): Promise<void> {
    try {
      const from = await openSource();
      if (from === undefined) return;
      const to = await this.#options.openArtifacts(targetUri);
      const folder = from.localPath?.("");
      if (folder !== undefined && folder === to.localPath?.("")) return;
      for await (const { path } of walkArtifacts(from)) await copyFile(from, to, path);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      this.#options.warn(`the artifacts of ${what} are not all here: ${messageOf(error)}`);
    }
  }
}

async function copyFile(from: ArtifactRepository, to: ArtifactRepository, path: string): Promise<void> {
  const local = from.localPath?.(path);
  if (local !== undefined) return to.logArtifact(local, path);
  const { withDownload } = await import("./with-download.ts");
  await withDownload(from, path, (copy) => to.logArtifact(copy, path));
}

const pointKey = ({ key, value, timestamp, step }: Metric): string => `${timestamp} ${step} ${value} ${key}`;

function withoutRun({ runId: _runId, ...metric }: Metric): Metric {
  return metric;
}
