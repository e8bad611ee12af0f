import type { Metric } from "../entities/metric.ts";
import type { Run, RunInfo } from "../entities/run.ts";
import { StoreError } from "../errors.ts";
import type { TrackingStore } from "../store/tracking-store.ts";
import { type JsonObject, runToJson } from "../wire/rest-json.ts";
import type { JournalHeader } from "../wire/journal-header.ts";
import type { LiveRun } from "./live-run.ts";

export interface RunViewSource {
  openStore(): Promise<TrackingStore>;
  /** The run's id in the store. */
  storeRunId(): string;
  /** The id that the command was given. */
  childRunId(): string;
}

/** Reads of the run while it lives: what is stored, with what was said since laid over it. */
export class RunView {
  readonly #header: JournalHeader;
  readonly #live: LiveRun;
  readonly #source: RunViewSource;
  #stored: Run | undefined;

  constructor(header: JournalHeader, live: LiveRun, source: RunViewSource) {
    this.#header = header;
    this.#live = live;
    this.#source = source;
  }

  /** A continued run's earlier params, tags and metrics, so that write-once params are known. */
  async seed(): Promise<void> {
    const { isResumed, rank } = this.#header;
    if (!isResumed && !(rank !== undefined && rank.index > 0 && rank.isRunKnown)) return;
    const stored = await this.#readRun();
    if (stored !== undefined) this.#live.seed(stored, this.#header.staleTags);
  }

  /** In MLflow's REST shape. Another run than the wrapper's own is read from the store. */
  async toJson(runId?: string): Promise<JsonObject> {
    if (runId !== undefined && !this.#live.isOwn(runId)) {
      const store = await this.#source.openStore();
      return runToJson(await store.getRun(runId));
    }
    this.#stored ??= await this.#readRun();
    return runToJson(this.#merge());
  }

  /** What the store has of the run now. */
  async stored(): Promise<{ readonly run?: Run; readonly experimentName?: string }> {
    const run = await this.#readRun();
    if (run === undefined) return {};
    const experiment = await this.#read((store) => store.getExperiment(run.info.experimentId));
    return { run, ...(experiment !== undefined && { experimentName: experiment.name }) };
  }

  #merge(): Run {
    const metrics = Array.from(this.#live.metrics, ([key, latest]): Metric => ({ key, ...latest }));
    const toList = (map: ReadonlyMap<string, string>) => Array.from(map, ([key, value]) => ({ key, value }));
    return {
      info: this.#info(),
      data: { metrics, params: toList(this.#live.params), tags: toList(this.#live.tags) },
      inputs: this.#stored?.inputs ?? { datasetInputs: [], modelIds: [] },
      outputs: this.#stored?.outputs ?? { models: [] },
    };
  }

  #info(): RunInfo {
    const header = this.#header;
    const stored = this.#stored?.info;
    return {
      runId: this.#source.childRunId(),
      runName: stored?.runName ?? header.runName ?? "",
      experimentId: stored?.experimentId ?? ("experimentId" in header.experiment ? header.experiment.experimentId : ""),
      userId: stored?.userId ?? header.userId,
      status: "RUNNING",
      startTime: stored?.startTime ?? header.startTime,
      lifecycleStage: "active",
      artifactUri: stored?.artifactUri ?? "",
    };
  }

  #readRun(): Promise<Run | undefined> {
    return this.#read((store) => store.getRun(this.#source.storeRunId()));
  }

  /** `undefined` where the store has it not yet, or cannot be asked now. */
  async #read<Found>(ask: (store: TrackingStore) => Promise<Found>): Promise<Found | undefined> {
    try {
      return await ask(await this.#source.openStore());
    } catch (error) {
      if (error instanceof StoreError) return undefined;
      throw error;
    }
  }
}
