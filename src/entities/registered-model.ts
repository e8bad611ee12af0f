import type { Tag } from "./tag.ts";

/** MLflow's stages of a model version (mlflow/entities/model_registry/model_version_stages.py). */
export type ModelVersionStage = "None" | "Staging" | "Production" | "Archived";

export const modelVersionStages: readonly ModelVersionStage[] = ["None", "Staging", "Production", "Archived"];

/** One version of a registered model. Times in ms since the epoch; `version` counts up from 1. */
export interface ModelVersion {
  readonly name: string;
  readonly version: number;
  readonly creationTimestamp: number;
  readonly lastUpdatedTimestamp?: number;
  readonly description?: string;
  readonly userId?: string;
  readonly currentStage: ModelVersionStage;
  /** Where the model came from, as the client said it: a path or URI, `models:/m-...` included. */
  readonly source: string;
  readonly runId?: string;
  readonly runLink?: string;
  readonly status: string;
  readonly statusMessage?: string;
  readonly tags: readonly Tag[];
  /** Left empty by a search and among a model's `latestVersions`, as MLflow does. */
  readonly aliases: readonly string[];
}

export interface RegisteredModelAlias {
  readonly alias: string;
  readonly version: number;
}

/** A named model of the registry. Times in ms since the epoch. */
export interface RegisteredModel {
  readonly name: string;
  readonly creationTimestamp: number;
  readonly lastUpdatedTimestamp?: number;
  readonly description?: string;
  /** The newest version of each stage. */
  readonly latestVersions: readonly ModelVersion[];
  readonly tags: readonly Tag[];
  readonly aliases: readonly RegisteredModelAlias[];
}
