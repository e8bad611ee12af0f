import type { ModelVersion, ModelVersionStage, RegisteredModel } from "../../entities/registered-model.ts";
import type { Tag } from "../../entities/tag.ts";
import { StoreError } from "../../errors.ts";
import type {
  CreateModelVersionRequest,
  CreateRegisteredModelRequest,
  RegistryStore,
  SearchRegistryQuery,
  TransitionStageRequest,
} from "../../store/registry-store.ts";
import { hasRegistry } from "../../store/registry-store.ts";
import type { Page, TrackingStore } from "../../store/tracking-store.ts";
import type { StoreAccess } from "./store-access.ts";

/**
 * The model registry of the store behind the journal. It belongs to everybody, and its version numbers are the store's to give:
 * a write goes there at once, behind all that was said before.
 */
export class JournaledRegistry implements RegistryStore {
  readonly #access: StoreAccess;

  constructor(access: StoreAccess) {
    this.#access = access;
  }

  createRegisteredModel(request: CreateRegisteredModelRequest): Promise<RegisteredModel> {
    return this.#write((registry) => registry.createRegisteredModel(request));
  }

  getRegisteredModel(name: string): Promise<RegisteredModel> {
    return this.#read((registry) => registry.getRegisteredModel(name));
  }

  searchRegisteredModels(query: SearchRegistryQuery): Promise<Page<RegisteredModel>> {
    return this.#read((registry) => registry.searchRegisteredModels(query));
  }

  updateRegisteredModel(name: string, description: string | undefined): Promise<RegisteredModel> {
    return this.#write((registry) => registry.updateRegisteredModel(name, description));
  }

  renameRegisteredModel(name: string, newName: string): Promise<RegisteredModel> {
    return this.#write((registry) => registry.renameRegisteredModel(name, newName));
  }

  deleteRegisteredModel(name: string): Promise<void> {
    return this.#write((registry) => registry.deleteRegisteredModel(name));
  }

  setRegisteredModelTag(name: string, tag: Tag): Promise<void> {
    return this.#write((registry) => registry.setRegisteredModelTag(name, tag));
  }

  deleteRegisteredModelTag(name: string, key: string): Promise<void> {
    return this.#write((registry) => registry.deleteRegisteredModelTag(name, key));
  }

  setRegisteredModelAlias(name: string, alias: string, version: number): Promise<void> {
    return this.#write((registry) => registry.setRegisteredModelAlias(name, alias, version));
  }

  deleteRegisteredModelAlias(name: string, alias: string): Promise<void> {
    return this.#write((registry) => registry.deleteRegisteredModelAlias(name, alias));
  }

  createModelVersion(request: CreateModelVersionRequest): Promise<ModelVersion> {
    return this.#write((registry) => registry.createModelVersion(request));
  }

  getModelVersion(name: string, version: number): Promise<ModelVersion> {
    return this.#read((registry) => registry.getModelVersion(name, version));
  }

  getModelVersionByAlias(name: string, alias: string): Promise<ModelVersion> {
    return this.#read((registry) => registry.getModelVersionByAlias(name, alias));
  }

  getLatestVersions(name: string, stages?: readonly ModelVersionStage[]): Promise<readonly ModelVersion[]> {
    return this.#read((registry) => registry.getLatestVersions(name, stages));
  }

  searchModelVersions(query: SearchRegistryQuery): Promise<Page<ModelVersion>> {
    return this.#read((registry) => registry.searchModelVersions(query));
  }

  updateModelVersion(name: string, version: number, description: string | undefined): Promise<ModelVersion> {
    return this.#write((registry) => registry.updateModelVersion(name, version, description));
  }

  transitionModelVersionStage(name: string, version: number, request: TransitionStageRequest): Promise<ModelVersion> {
    return this.#write((registry) => registry.transitionModelVersionStage(name, version, request));
  }

  deleteModelVersion(name: string, version: number): Promise<void> {
    return this.#write((registry) => registry.deleteModelVersion(name, version));
  }

  setModelVersionTag(name: string, version: number, tag: Tag): Promise<void> {
    return this.#write((registry) => registry.setModelVersionTag(name, version, tag));
  }

  deleteModelVersionTag(name: string, version: number, key: string): Promise<void> {
    return this.#write((registry) => registry.deleteModelVersionTag(name, version, key));
  }

  getModelVersionDownloadUri(name: string, version: number): Promise<string> {
    return this.#read((registry) => registry.getModelVersionDownloadUri(name, version));
  }

  #read<Answer>(ask: (registry: RegistryStore) => Promise<Answer>): Promise<Answer> {
    return this.#access.read(async (store) => ask(await registryOf(store)));
  }

  #write<Answer>(ask: (registry: RegistryStore) => Promise<Answer>): Promise<Answer> {
    return this.#access.write(async (store) => ask(await registryOf(store)));
  }
}

async function registryOf(store: TrackingStore): Promise<RegistryStore> {
  if (hasRegistry(store)) return await store.openRegistry();
  throw new StoreError("NOT_IMPLEMENTED", "this store has no model registry");
}
