import { setTimeout as sleep } from "node:timers/promises";
import type { StoreOperation } from "../../entities/journal-entry.ts";
import { isTerminalStatus } from "../../entities/run-status.ts";
import type { Run, RunInfo } from "../../entities/run.ts";
import { mlflowTags, trackTags } from "../../entities/tag-keys.ts";
import type { Tag } from "../../entities/tag.ts";
import { doesNotExist, invalidParameter } from "../../errors.ts";
import type { CreateRunRequest, LogBatchRequest, UpdateRunRequest } from "../../store/tracking-store.ts";
import type { Speaker } from "../live-run.ts";
import type { Recording } from "../recording.ts";
import { RunEdges } from "./run-edges.ts";
import type { Experiments } from "./experiments.ts";
import { spooledUri } from "./spooled-artifacts.ts";
import type { StoreAccess } from "./store-access.ts";
import { monotonicMs } from "../../util/monotonic.ts";

export interface OwnRunOptions {
  readonly recording: Recording;
  readonly access: StoreAccess;
  readonly experiments: Experiments;
  /** The store can put the run into another experiment. */
  readonly canMove: boolean;
}

type Place = Pick<RunInfo, "experimentId" | "artifactUri">;

const placeWaitMs = 2000;
const placePollMs = 50;
/** A server that was away is asked again so much later. */
const nextLookUpMs = 5000;

/** What MLflow's clients say of the machine and the program; the wrapper knows better. */
const contextTags = new Set<string>([
  mlflowTags.user,
  mlflowTags.sourceName,
  mlflowTags.sourceType,
  mlflowTags.gitCommit,
  mlflowTags.gitBranch,
  mlflowTags.gitRepoUrl,
  mlflowTags.runName,
]);

/** The wrapper's own run as the command's MLflow clients see it. What was chosen on the command line stays as it is. */
export class OwnRun {
  readonly #options: OwnRunOptions;
  readonly #edges = new RunEdges();
  readonly #lookedUpBy: number;
  #placing: Promise<void>;
  #lookUpAgainAt = Infinity;
  #place: Place | undefined;
  #movedTo: string | undefined;
  #runName: string;
  #endTime: number | undefined;
  #lifecycleStage: RunInfo["lifecycleStage"] = "active";

  constructor(options: OwnRunOptions) {
    this.#options = options;
    this.#runName = options.recording.live.tags.get(mlflowTags.runName) ?? options.recording.header.runName ?? "";
    this.#lookedUpBy = monotonicMs() + placeWaitMs;
    this.#placing = options.recording.header.kind === "program" ? Promise.resolve() : this.#tryLookUp();
  }

  /** The journal's id of the run; its processes may know another. */
  get id(): string {
    return this.#options.recording.header.runId;
  }

  /** The command has asked for this run, so that others which it creates are other ones. */
  get isTaken(): boolean {
    return this.#options.recording.memo.isTaken === true;
  }

  get #live() {
    return this.#options.recording.live;
  }

  get #pinned() {
    return this.#options.recording.header.pinned ?? { runName: false, experiment: true, tagKeys: [] };
  }

  /** `chosenId`: the experiment that the asking process has chosen; it is told what it expects. */
  async run(chosenId?: string): Promise<Run> {
    const info = await this.info(chosenId);
    const toList = (map: ReadonlyMap<string, string>) => Array.from(map, ([key, value]) => ({ key, value }));
    const metrics = Array.from(this.#live.metrics, ([key, latest]) => ({ key, ...latest }));
    const data = { metrics, params: toList(this.#live.params), tags: toList(this.#live.tags) };
    return { info, data, inputs: this.#edges.inputs, outputs: this.#edges.outputs };
  }

  async info(chosenId?: string): Promise<RunInfo> {
    const { header, memo } = this.#options.recording;
    const place = await this.#soonPlace();
    return {
      runId: this.#clientId,
      runName: this.#runName,
      experimentId: chosenId ?? this.#movedTo ?? place.experimentId,
      userId: header.userId,
      status: memo.scriptStatus ?? "RUNNING",
      startTime: header.startTime,
      ...(this.#endTime !== undefined && { endTime: this.#endTime }),
      lifecycleStage: this.#lifecycleStage,
      artifactUri: place.artifactUri,
    };
  }

  /** Its files lie at a place that clients write to themselves, and not behind the tracking server. */
  async hasOpenPlace(): Promise<boolean> {
    await this.#soonPlace();
    return this.#place !== undefined && !this.#place.artifactUri.startsWith("mlflow-artifacts:");
  }

  /** Where the run is by now, without waiting. */
  get experimentId(): string | undefined {
    const { experiment } = this.#options.recording.header;
    if (this.#movedTo !== undefined) return this.#movedTo;
    return this.#place?.experimentId ?? ("experimentId" in experiment ? experiment.experimentId : undefined);
  }

  /** The first run that the command creates is this one: its name and tags are added. */
  take(request: CreateRunRequest, requestKey: string): void {
    const { tags, runName, isNameMinted = false } = request;
    const named = tags.findLast(({ key }) => key === mlflowTags.runName)?.value ?? "";
    const wanted = isNameMinted ? named : runName;
    const added = tags.filter(({ key }) => !contextTags.has(key));
    this.#live.logRequest({ tags: this.#unpinned(added) }, { port: 0 }, { isTaken: true, requestKey });
    if (wanted !== "") this.#rename(wanted);
  }

  /** A status is remembered until the command is gone, and the end time with it. */
  update({ status, endTime, runName = "" }: UpdateRunRequest): void {
    this.checkActive();
    if (runName !== "") this.#rename(runName);
    if (status === undefined) return;
    this.#endTime = isTerminalStatus(status) ? (endTime ?? Date.now()) : undefined;
    const { memo } = this.#options.recording;
    if (this.isTaken && (memo.scriptStatus ?? "RUNNING") === status) return;
    this.#live.write({ op: "log-batch", runId: this.id }, { isTaken: true, scriptStatus: status });
  }

  logBatch(request: LogBatchRequest, speaker: Speaker): void {
    this.checkActive();
    const { metrics = [], params = [], tags = [] } = request;
    const wanted = this.#withoutSampled(metrics);
    const renamed = tags.findLast(({ key }) => key === mlflowTags.runName)?.value ?? "";
    const others = this.#unpinned(tags.filter(({ key }) => key !== mlflowTags.runName));
    if (wanted.length + params.length + others.length > 0) {
      const memo = this.isTaken ? undefined : { isTaken: true as const };
      this.#live.logRequest({ metrics: wanted, params, tags: others }, speaker, memo);
    }
    if (renamed !== "") this.#rename(renamed);
  }

  deleteTag(key: string): void {
    this.checkActive();
    if (!this.#live.tags.has(key)) throw doesNotExist(`No tag with name: ${key} in run with id ${this.id}`);
    if (!this.#isPinned(key)) this.#live.write({ op: "delete-tag", runId: this.id, key });
  }

  /** Inputs, outputs, deletion and restoration. */
  write(
    operation: Extract<StoreOperation, { readonly op: "log-inputs" | "log-outputs" | "delete-run" | "restore-run" }>,
  ): void {
    if (operation.op === "log-inputs" || operation.op === "log-outputs") this.checkActive();
    this.#edges.observe(this.#live.write(operation));
  }

  /** Takes in an operation that was journaled: the run goes and comes with its experiment, too. */
  observe(operation: StoreOperation): void {
    const isOurs =
      ("runId" in operation && operation.runId === this.id) ||
      ("experimentId" in operation && operation.experimentId === this.experimentId);
    if (!isOurs) return;
    if (operation.op === "delete-run" || operation.op === "delete-experiment") this.#lifecycleStage = "deleted";
    if (operation.op === "restore-run" || operation.op === "restore-experiment") this.#lifecycleStage = "active";
  }

  /** The command has chosen another experiment for the run: it goes there, unless the command line said where it belongs. */
  moveTo(experimentId: string, name: string): void {
    if (experimentId === this.experimentId) return;
    if (this.#pinned.experiment || !this.#options.canMove) {
      this.#options.recording.notice(
        "experiment",
        `the command chose experiment ${name}; the run stays where it was put` +
          (this.#pinned.experiment ? ": leave out -e, or give it that name" : ""),
      );
      return;
    }
    this.#movedTo = experimentId;
    this.#live.write({ op: "move-run", runId: this.id, experimentId });
  }

  checkActive(): void {
    if (this.#lifecycleStage === "active") return;
    throw invalidParameter(`The run ${this.id} must be in the 'active' state. Current state is deleted.`);
  }

  #rename(runName: string): void {
    if (this.#pinned.runName || runName === this.#runName) return;
    this.#runName = runName;
    this.#live.write({ op: "update-run", runId: this.id, runName });
  }

  #unpinned(tags: readonly Tag[]): readonly Tag[] {
    return tags.filter(({ key }) => !this.#isPinned(key));
  }

  /** Also what a later command judges the run's life by is not for the command to say. */
  #isPinned(key: string): boolean {
    return this.#pinned.tagKeys.includes(key) || key === trackTags.createId || key === trackTags.process;
  }

  #withoutSampled(metrics: NonNullable<LogBatchRequest["metrics"]>): NonNullable<LogBatchRequest["metrics"]> {
    const { recording } = this.#options;
    if (!recording.header.sampling.enabled) return metrics;
    const sampled = metrics.filter(({ key }) => key.startsWith("system/"));
    if (sampled.length === 0) return metrics;
    // `log_model` says the run's metrics once more for the model; those that we sampled say nothing about it.
    if (sampled.some(({ modelId }) => modelId === undefined)) {
      recording.notice(
        "system metrics of a client",
        "the command logs system/ metrics as well; they are left out, since track samples the machine",
      );
    }
    return metrics.filter(({ key }) => !key.startsWith("system/"));
  }

  /** The place of the files is the store's to say; what waits for a locked store, or a server that is away, goes through our spool. */
  async #soonPlace(): Promise<Place> {
    if (this.#place === undefined) {
      if (monotonicMs() > this.#lookUpAgainAt) this.#placing = this.#tryLookUp();
      const placing = this.#placing.then(() => true);
      const isWorthWaiting = (): boolean => monotonicMs() < this.#lookedUpBy && !this.#options.recording.isStoreAway;
      while (isWorthWaiting() && !(await Promise.race([placing, sleep(placePollMs, false)])));
    }
    return this.#place ?? { experimentId: this.#likelyExperimentId(), artifactUri: spooledUri(this.#clientId) };
  }

  get #clientId(): string {
    return this.#options.recording.ids.childRunId;
  }

  #likelyExperimentId(): string {
    const { recording, experiments } = this.#options;
    const { experiment } = recording.header;
    if ("experimentId" in experiment) return experiment.experimentId;
    return recording.isServer ? experiments.assume(experiment.experimentName) : "";
  }

  async #tryLookUp(): Promise<void> {
    this.#lookUpAgainAt = Infinity;
    try {
      await this.#lookUp();
    } catch {
      // Nothing is there to be seen (the run was refused, the store is no store, a server is away): answers then name no place of the store's.
      if (this.#options.recording.isServer) this.#lookUpAgainAt = monotonicMs() + nextLookUpMs;
    }
  }

  async #lookUp(): Promise<void> {
    const { recording, access } = this.#options;
    const { info, inputs, outputs, data } = await access.read((store) => store.getRun(recording.ids.toStore(this.id)));
    this.#place = { experimentId: recording.ids.fromStore(info.experimentId), artifactUri: info.artifactUri };
    this.#edges.seed(inputs, outputs);
    if (this.#runName === "") this.#runName = info.runName;
    // A run that is continued keeps what it is called.
    if (recording.header.isResumed && recording.live.tags.get(mlflowTags.runName) === undefined) {
      this.#runName = data.tags.find(({ key }) => key === mlflowTags.runName)?.value ?? info.runName;
    }
  }
}
