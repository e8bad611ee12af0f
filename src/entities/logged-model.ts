import type { Metric } from "./metric.ts";
import type { Param } from "./param.ts";
import type { Tag } from "./tag.ts";

/** MLflow's LoggedModelStatus; stored in SQL as 1, 2, 3. */
export type LoggedModelStatus = "LOGGED_MODEL_PENDING" | "LOGGED_MODEL_READY" | "LOGGED_MODEL_UPLOAD_FAILED";

/** A model that a run made (MLflow >= 3.0). Times in ms since the epoch; `modelId` is `m-` and 32 hex digits. */
export interface LoggedModel {
  readonly modelId: string;
  readonly experimentId: string;
  readonly name: string;
  readonly artifactLocation: string;
  readonly creationTimestamp: number;
  readonly lastUpdatedTimestamp: number;
  readonly status: LoggedModelStatus;
  readonly statusMessage?: string;
  readonly modelType?: string;
  readonly sourceRunId?: string;
  readonly params: readonly Param[];
  readonly tags: readonly Tag[];
  readonly metrics: readonly Metric[];
}
