import type {
  CreateRunOperation,
  LogBatchOperation,
  StoreOperation,
  UpdateRunOperation,
} from "../../entities/journal-entry.ts";
import type { Run, RunInfo } from "../../entities/run.ts";
import { mlflowTags, trackTags } from "../../entities/tag-keys.ts";
import { LatestMetrics } from "../latest-metrics.ts";
import { RunEdges } from "./run-edges.ts";

/** A run other than the wrapper's own, as far as the journal has brought it: what is said of it is checked against this. */
export class KnownRun {
  readonly params = new Map<string, string>();
  readonly tags = new Map<string, string>();
  readonly metrics = new LatestMetrics();
  /** Made by the command: nobody else writes to it, so that reads need no store. */
  readonly isOurs: boolean;
  readonly #edges = new RunEdges();
  #info: RunInfo;

  private constructor(info: RunInfo, isOurs: boolean) {
    this.#info = info;
    this.isOurs = isOurs;
  }

  /** A run that is being created. `artifactUri` may be filled in later by `withArtifactUri`. */
  static created(operation: CreateRunOperation, artifactUri = ""): KnownRun {
    const { runId, runName, experiment, userId, startTime, tags, createId } = operation;
    const experimentId = "experimentId" in experiment ? experiment.experimentId : "";
    const run = new KnownRun(
      {
        runId,
        runName,
        experimentId,
        userId,
        status: "RUNNING",
        startTime,
        lifecycleStage: "active",
        artifactUri,
      },
      true,
    );
    for (const { key, value } of tags) run.tags.set(key, value);
    run.tags.set(mlflowTags.runName, runName);
    run.tags.set(trackTags.createId, createId);
    return run;
  }

  /** A run that somebody else made, as the store has it. */
  static read(stored: Run): KnownRun {
    const run = new KnownRun(stored.info, false);
    for (const { key, value } of stored.data.params) run.params.set(key, value);
    for (const { key, value } of stored.data.tags) run.tags.set(key, value);
    for (const metric of stored.data.metrics) run.metrics.note(metric.key, metric.value, metric.timestamp, metric.step);
    run.#edges.seed(stored.inputs, stored.outputs);
    return run;
  }

  get info(): RunInfo {
    return this.#info;
  }

  get run(): Run {
    const toList = (map: ReadonlyMap<string, string>) => Array.from(map, ([key, value]) => ({ key, value }));
    const data = { metrics: this.metrics.toList(), params: toList(this.params), tags: toList(this.tags) };
    return { info: this.#info, data, inputs: this.#edges.inputs, outputs: this.#edges.outputs };
  }

  withArtifactUri(artifactUri: string): void {
    this.#info = { ...this.#info, artifactUri };
  }

  /** Takes in an operation on this run that was journaled. */
  observe(operation: StoreOperation): void {
    this.#edges.observe(operation);
    if (operation.op === "log-batch") this.#observeBatch(operation);
    if (operation.op === "delete-tag") this.tags.delete(operation.key);
    if (operation.op === "update-run") this.#update(operation);
    if (operation.op === "delete-run") this.#info = { ...this.#info, lifecycleStage: "deleted" };
    if (operation.op === "restore-run") this.#info = { ...this.#info, lifecycleStage: "active" };
    if (operation.op === "move-run") this.#info = { ...this.#info, experimentId: operation.experimentId };
  }

  #observeBatch({ params = [], metrics = [], tags = [] }: LogBatchOperation): void {
    for (const { key, value } of params) this.params.set(key, value);
    for (const [key, value, timestamp, step] of metrics) this.metrics.note(key, Number(value), timestamp, step);
    for (const { key, value } of tags) this.#setTag(key, value);
  }

  #update({ status, endTime, runName = "" }: UpdateRunOperation): void {
    if (status !== undefined) this.#info = { ...this.#info, status };
    if (typeof endTime === "number") this.#info = { ...this.#info, endTime };
    if (runName !== "") this.#setTag(mlflowTags.runName, runName);
  }

  #setTag(key: string, value: string): void {
    if (key === mlflowTags.runName) {
      // MLflow ignores an empty name.
      if (value === "") return;
      this.#info = { ...this.#info, runName: value };
    }
    this.tags.set(key, value);
  }
}
