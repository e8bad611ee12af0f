import type { ModelVersion, ModelVersionStage, RegisteredModel } from "../entities/registered-model.ts";
import type { Tag } from "../entities/tag.ts";
import type { Page, TrackingStore } from "./tracking-store.ts";

export interface CreateRegisteredModelRequest {
  readonly name: string;
  readonly description?: string;
  readonly tags?: readonly Tag[];
}

export interface CreateModelVersionRequest {
  readonly name: string;
  /** A path or URI; `models:/<model id>` and `models:/<name>/<version>` are looked up for the place of the files. */
  readonly source: string;
  readonly runId?: string;
  readonly runLink?: string;
  readonly description?: string;
  /** The logged model behind it; gives the run id where none was named. */
  readonly modelId?: string;
  readonly tags?: readonly Tag[];
}

export interface SearchRegistryQuery {
  /** MLflow's filter grammar for registered models (name, tags) or model versions (name, version_number, run_id, source_path, tags). */
  readonly filter?: string;
  /** Elements such as `name ASC` or `last_updated_timestamp DESC`. */
  readonly orderBy?: readonly string[];
  /** Registered models: 1 to 1,000, default 100. Model versions: 1 to 200,000, default 10,000. */
  readonly maxResults?: number;
  readonly pageToken?: string;
}

export interface TransitionStageRequest {
  readonly stage: ModelVersionStage;
  /** Moves the other versions of that stage to `Archived`; only for `Staging` and `Production`. */
  readonly archiveExisting?: boolean;
}

/**
 * MLflow's model registry. All methods reject with `StoreError` carrying MLflow's error code; an unknown model or version is
 * `RESOURCE_DOES_NOT_EXIST`, a name that MLflow refuses `INVALID_PARAMETER_VALUE`.
 */
export interface RegistryStore {
  /** A name in use: `RESOURCE_ALREADY_EXISTS`. */
  createRegisteredModel(request: CreateRegisteredModelRequest): Promise<RegisteredModel>;
  getRegisteredModel(name: string): Promise<RegisteredModel>;
  /** Prompts are left out unless the filter asks for them. */
  searchRegisteredModels(query: SearchRegistryQuery): Promise<Page<RegisteredModel>>;
  /** An absent description clears it, as MLflow does. */
  updateRegisteredModel(name: string, description: string | undefined): Promise<RegisteredModel>;
  renameRegisteredModel(name: string, newName: string): Promise<RegisteredModel>;
  /** Deletes its versions, tags and aliases as well. */
  deleteRegisteredModel(name: string): Promise<void>;
  setRegisteredModelTag(name: string, tag: Tag): Promise<void>;
  /** A missing tag is no error. */
  deleteRegisteredModelTag(name: string, key: string): Promise<void>;
  setRegisteredModelAlias(name: string, alias: string, version: number): Promise<void>;
  /** A missing alias is no error. */
  deleteRegisteredModelAlias(name: string, alias: string): Promise<void>;

  createModelVersion(request: CreateModelVersionRequest): Promise<ModelVersion>;
  getModelVersion(name: string, version: number): Promise<ModelVersion>;
  /** An unknown alias: `INVALID_PARAMETER_VALUE`. */
  getModelVersionByAlias(name: string, alias: string): Promise<ModelVersion>;
  /** The newest version of each of the stages; no stage named: of every one. */
  getLatestVersions(name: string, stages?: readonly ModelVersionStage[]): Promise<readonly ModelVersion[]>;
  searchModelVersions(query: SearchRegistryQuery): Promise<Page<ModelVersion>>;
  /** An absent description clears it, as MLflow does. */
  updateModelVersion(name: string, version: number, description: string | undefined): Promise<ModelVersion>;
  transitionModelVersionStage(name: string, version: number, request: TransitionStageRequest): Promise<ModelVersion>;
  /** Its number is never given again. */
  deleteModelVersion(name: string, version: number): Promise<void>;
  setModelVersionTag(name: string, version: number, tag: Tag): Promise<void>;
  /** A missing tag is no error. */
  deleteModelVersionTag(name: string, version: number, key: string): Promise<void>;
  /** Where the files of that version lie. */
  getModelVersionDownloadUri(name: string, version: number): Promise<string>;
}

/** A tracking store with a model registry in the same place. Optional: asked for by `hasRegistry`. */
export interface RegistryOwner {
  /** Loaded on first use; lives and is closed with the tracking store. */
  openRegistry(): Promise<RegistryStore>;
}

export function hasRegistry(store: TrackingStore): store is TrackingStore & RegistryOwner {
  return "openRegistry" in store;
}
