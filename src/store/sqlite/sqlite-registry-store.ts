import type { DatabaseSync } from "node:sqlite";
import type { ModelVersion, ModelVersionStage, RegisteredModel } from "../../entities/registered-model.ts";
import {
  checkAlias,
  checkNewAlias,
  checkRegisteredModelName,
  checkRegistryTag,
} from "../../entities/registry-validation.ts";
import type { Tag } from "../../entities/tag.ts";
import { checkKey } from "../../entities/validation.ts";
import { doesNotExist, invalidParameter } from "../../errors.ts";
import type {
  CreateModelVersionRequest,
  CreateRegisteredModelRequest,
  RegistryStore,
  SearchRegistryQuery,
  TransitionStageRequest,
} from "../registry-store.ts";
import type { Page } from "../tracking-store.ts";
import { getLoggedModel } from "./logged-models.ts";
import * as versions from "./model-versions.ts";
import * as models from "./registered-models.ts";
import { searchModelVersions, searchRegisteredModels } from "./search-registry.ts";
import type { SqliteAccess } from "./sqlite-connection.ts";

/** MLflow's model registry in the tables of its database, on the tracking store's own connection. */
export class SqliteRegistryStore implements RegistryStore {
  readonly #connection: SqliteAccess;

  constructor(connection: SqliteAccess) {
    this.#connection = connection;
  }

  async createRegisteredModel(request: CreateRegisteredModelRequest): Promise<RegisteredModel> {
    checkRegisteredModelName(request.name);
    request.tags?.forEach(checkRegistryTag);
    return this.#connection.write((db) => models.createRegisteredModel(db, request));
  }

  async getRegisteredModel(name: string): Promise<RegisteredModel> {
    checkRegisteredModelName(name);
    return this.#connection.read((db) => models.getRegisteredModel(db, name));
  }

  searchRegisteredModels(query: SearchRegistryQuery): Promise<Page<RegisteredModel>> {
    return this.#connection.read((db) => searchRegisteredModels(db, query));
  }

  async updateRegisteredModel(name: string, description: string | undefined): Promise<RegisteredModel> {
    checkRegisteredModelName(name);
    return this.#connection.write((db) => models.updateRegisteredModel(db, name, description));
  }

  async renameRegisteredModel(name: string, newName: string): Promise<RegisteredModel> {
    checkRegisteredModelName(newName);
    checkRegisteredModelName(name);
    return this.#connection.write((db) => models.renameRegisteredModel(db, name, newName));
  }

  async deleteRegisteredModel(name: string): Promise<void> {
    checkRegisteredModelName(name);
    return this.#connection.write((db) => models.deleteRegisteredModel(db, name));
  }

  async setRegisteredModelTag(name: string, tag: Tag): Promise<void> {
    checkRegisteredModelName(name);
    checkRegistryTag(tag);
    return this.#connection.write((db) => models.setRegisteredModelTag(db, name, tag));
  }

  async deleteRegisteredModelTag(name: string, key: string): Promise<void> {
    checkRegisteredModelName(name);
    checkKey("tag", key);
    return this.#connection.write((db) => models.deleteRegisteredModelTag(db, name, key));
  }

  async setRegisteredModelAlias(name: string, alias: string, version: number): Promise<void> {
    checkRegisteredModelName(name);
    checkNewAlias(alias);
    return this.#connection.write((db) => {
      versions.requireModelVersion(db, name, version);
      models.setAlias(db, name, { alias, version });
    });
  }

  async deleteRegisteredModelAlias(name: string, alias: string): Promise<void> {
    checkRegisteredModelName(name);
    checkAlias(alias);
    return this.#connection.write((db) => models.deleteAlias(db, name, alias));
  }

  async createModelVersion(request: CreateModelVersionRequest): Promise<ModelVersion> {
    checkRegisteredModelName(request.name);
    request.tags?.forEach(checkRegistryTag);
    return this.#connection.write((db) => {
      const resolved = resolveSource(db, request);
      models.requireRegisteredModel(db, request.name);
      return versions.createModelVersion(db, request, resolved);
    });
  }

  async getModelVersion(name: string, version: number): Promise<ModelVersion> {
    checkRegisteredModelName(name);
    return this.#connection.read((db) => versions.getModelVersion(db, name, version));
  }

  async getModelVersionByAlias(name: string, alias: string): Promise<ModelVersion> {
    checkRegisteredModelName(name);
    checkAlias(alias);
    return this.#connection.read((db) => {
      models.requireRegisteredModel(db, name);
      return versions.getModelVersion(db, name, findAlias(db, name, alias));
    });
  }

  async getLatestVersions(name: string, stages: readonly ModelVersionStage[] = []): Promise<readonly ModelVersion[]> {
    checkRegisteredModelName(name);
    return this.#connection.read((db) => {
      models.requireRegisteredModel(db, name);
      return versions
        .readLatestVersions(db, name)
        .filter(({ currentStage }) => stages.length === 0 || stages.includes(currentStage))
        .map(({ version }) => versions.getModelVersion(db, name, version));
    });
  }

  searchModelVersions(query: SearchRegistryQuery): Promise<Page<ModelVersion>> {
    return this.#connection.read((db) => searchModelVersions(db, query));
  }

  async updateModelVersion(name: string, version: number, description: string | undefined): Promise<ModelVersion> {
    checkRegisteredModelName(name);
    return this.#connection.write((db) => versions.updateModelVersion(db, name, version, description));
  }

  async transitionModelVersionStage(
    name: string,
    version: number,
    request: TransitionStageRequest,
  ): Promise<ModelVersion> {
    checkRegisteredModelName(name);
    return this.#connection.write((db) => versions.transitionStage(db, name, version, request));
  }

  async deleteModelVersion(name: string, version: number): Promise<void> {
    checkRegisteredModelName(name);
    return this.#connection.write((db) => versions.deleteModelVersion(db, name, version));
  }

  async setModelVersionTag(name: string, version: number, tag: Tag): Promise<void> {
    checkRegisteredModelName(name);
    checkRegistryTag(tag);
    return this.#connection.write((db) => versions.setModelVersionTag(db, name, version, tag));
  }

  async deleteModelVersionTag(name: string, version: number, key: string): Promise<void> {
    checkRegisteredModelName(name);
    checkKey("tag", key);
    return this.#connection.write((db) => versions.deleteModelVersionTag(db, name, version, key));
  }

  async getModelVersionDownloadUri(name: string, version: number): Promise<string> {
    checkRegisteredModelName(name);
    return this.#connection.read((db) => versions.getDownloadUri(db, name, version));
  }
}

function findAlias(db: DatabaseSync, name: string, alias: string): number {
  if (alias.toLowerCase() === "latest") {
    const newest = Math.max(0, ...versions.readLatestVersions(db, name).map(({ version }) => version));
    if (newest === 0) throw doesNotExist(`Latest version not found for model ${name}.`);
    return newest;
  }
  const found = models.readAliases(db, name).find((one) => one.alias === alias);
  if (found === undefined) throw invalidParameter(`Registered model alias ${alias} not found.`);
  return found.version;
}

/** Where the files of a source lie: those of a logged model, those of another version, or what it says itself. */
function resolveSource(
  db: DatabaseSync,
  { source, runId, modelId }: CreateModelVersionRequest,
): versions.ResolvedSource {
  const logged = /^models:\/+(m-[^/@]+)\/?$/u.exec(source)?.[1];
  const [, name, version] = /^models:\/+([^/@]+)\/([0-9]+)\/?$/u.exec(source) ?? [];
  const model = logged ?? modelId;
  const sourceRunId = runId ?? (model === undefined ? undefined : getLoggedModel(db, model).sourceRunId);
  const location =
    logged !== undefined
      ? getLoggedModel(db, logged).artifactLocation
      : name !== undefined && version !== undefined
        ? versions.getDownloadUri(db, name, Number(version))
        : source;
  return { location, ...(sourceRunId !== undefined && { runId: sourceRunId }) };
}
