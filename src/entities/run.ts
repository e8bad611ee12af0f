import type { DatasetInput } from "./dataset.ts";
import type { LifecycleStage } from "./lifecycle-stage.ts";
import type { Metric } from "./metric.ts";
import type { Param } from "./param.ts";
import type { RunStatus } from "./run-status.ts";
import type { Tag } from "./tag.ts";

/** Times in ms since the epoch; `endTime` is absent while the run has not ended. `runId` is 32 lower-case hex digits. */
export interface RunInfo {
  readonly runId: string;
  readonly runName: string;
  readonly experimentId: string;
  readonly userId: string;
  readonly status: RunStatus;
  readonly startTime: number;
  readonly endTime?: number;
  readonly lifecycleStage: LifecycleStage;
  readonly artifactUri: string;
}

/** `metrics` holds the latest point of each key (MLflow's `latest_metrics`), not the history. */
export interface RunData {
  readonly metrics: readonly Metric[];
  readonly params: readonly Param[];
  readonly tags: readonly Tag[];
}

export interface RunInputs {
  readonly datasetInputs: readonly DatasetInput[];
  readonly modelIds: readonly string[];
}

export interface RunOutputs {
  readonly models: readonly { readonly modelId: string; readonly step: number }[];
}

export interface Run {
  readonly info: RunInfo;
  readonly data: RunData;
  readonly inputs: RunInputs;
  readonly outputs: RunOutputs;
}
