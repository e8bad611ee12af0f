import type { ModelVersion, ModelVersionStage, RegisteredModel } from "../../entities/registered-model.ts";
import type { Tag } from "../../entities/tag.ts";
import { modelVersionFromJson, registeredModelFromJson } from "../../wire/registry-json-read.ts";
import { pairToJson } from "../../wire/rest-json.ts";
import { type JsonObject, readList, readObject, readText } from "../../wire/rest-json-values.ts";
import type {
  CreateModelVersionRequest,
  CreateRegisteredModelRequest,
  RegistryStore,
  SearchRegistryQuery,
  TransitionStageRequest,
} from "../registry-store.ts";
import type { Page } from "../tracking-store.ts";
import type { RestApi } from "./rest-api.ts";
import { readPage } from "./search-page.ts";

/** The model registry of a tracking server. It closes with the tracking store. */
export class RestRegistryStore implements RegistryStore {
  readonly #api: RestApi;

  constructor(api: RestApi) {
    this.#api = api;
  }

  async createRegisteredModel({ name, description, tags }: CreateRegisteredModelRequest): Promise<RegisteredModel> {
    return modelOf(
      await this.#api.post("registered-models/create", { name, description, tags: tags?.map(pairToJson) }),
    );
  }

  async getRegisteredModel(name: string): Promise<RegisteredModel> {
    return modelOf(await this.#api.get("registered-models/get", { name }));
  }

  async searchRegisteredModels(query: SearchRegistryQuery): Promise<Page<RegisteredModel>> {
    const answer = await this.#api.get("registered-models/search", searchFields(query));
    return readPage(answer, "registered_models", registeredModelFromJson);
  }

  async updateRegisteredModel(name: string, description: string | undefined): Promise<RegisteredModel> {
    const message = { name, description };
    return modelOf(await this.#api.post("registered-models/update", message, { method: "PATCH" }));
  }

  async renameRegisteredModel(name: string, newName: string): Promise<RegisteredModel> {
    return modelOf(await this.#api.post("registered-models/rename", { name, new_name: newName }));
  }

  async deleteRegisteredModel(name: string): Promise<void> {
    await this.#api.post("registered-models/delete", { name }, { method: "DELETE" });
  }

  async setRegisteredModelTag(name: string, tag: Tag): Promise<void> {
    await this.#api.post("registered-models/set-tag", { name, ...pairToJson(tag) });
  }

  async deleteRegisteredModelTag(name: string, key: string): Promise<void> {
    await this.#api.post("registered-models/delete-tag", { name, key }, { method: "DELETE" });
  }

  async setRegisteredModelAlias(name: string, alias: string, version: number): Promise<void> {
    await this.#api.post("registered-models/alias", { name, alias, version: String(version) });
  }

  async deleteRegisteredModelAlias(name: string, alias: string): Promise<void> {
    await this.#api.post("registered-models/alias", { name, alias }, { method: "DELETE" });
  }

  /** Tried once: a second call would make a second version. */
  async createModelVersion(request: CreateModelVersionRequest): Promise<ModelVersion> {
    const message = {
      name: request.name,
      source: request.source,
      run_id: request.runId,
      run_link: request.runLink,
      description: request.description,
      model_id: request.modelId,
      tags: request.tags?.map(pairToJson),
    };
    return versionOf(await this.#api.post("model-versions/create", message, { mayRetry: false }));
  }

  async getModelVersion(name: string, version: number): Promise<ModelVersion> {
    return versionOf(await this.#api.get("model-versions/get", { name, version }));
  }

  async getModelVersionByAlias(name: string, alias: string): Promise<ModelVersion> {
    return versionOf(await this.#api.get("registered-models/alias", { name, alias }));
  }

  async getLatestVersions(name: string, stages?: readonly ModelVersionStage[]): Promise<readonly ModelVersion[]> {
    const answer = await this.#api.post("registered-models/get-latest-versions", { name, stages });
    return readList(answer, "model_versions", modelVersionFromJson);
  }

  async searchModelVersions(query: SearchRegistryQuery): Promise<Page<ModelVersion>> {
    const answer = await this.#api.get("model-versions/search", searchFields(query));
    return readPage(answer, "model_versions", modelVersionFromJson);
  }

  async updateModelVersion(name: string, version: number, description: string | undefined): Promise<ModelVersion> {
    const message = { name, version: String(version), description };
    return versionOf(await this.#api.post("model-versions/update", message, { method: "PATCH" }));
  }

  async transitionModelVersionStage(
    name: string,
    version: number,
    { stage, archiveExisting = false }: TransitionStageRequest,
  ): Promise<ModelVersion> {
    const message = { name, version: String(version), stage, archive_existing_versions: archiveExisting };
    return versionOf(await this.#api.post("model-versions/transition-stage", message));
  }

  async deleteModelVersion(name: string, version: number): Promise<void> {
    await this.#api.post("model-versions/delete", { name, version: String(version) }, { method: "DELETE" });
  }

  async setModelVersionTag(name: string, version: number, tag: Tag): Promise<void> {
    await this.#api.post("model-versions/set-tag", { name, version: String(version), ...pairToJson(tag) });
  }

  async deleteModelVersionTag(name: string, version: number, key: string): Promise<void> {
    await this.#api.post("model-versions/delete-tag", { name, version: String(version), key }, { method: "DELETE" });
  }

  async getModelVersionDownloadUri(name: string, version: number): Promise<string> {
    return readText(await this.#api.get("model-versions/get-download-uri", { name, version }), "artifact_uri", "");
  }
}

function searchFields({ filter, orderBy, maxResults, pageToken }: SearchRegistryQuery) {
  return { filter, order_by: orderBy, max_results: maxResults, page_token: pageToken };
}

const modelOf = (answer: JsonObject): RegisteredModel =>
  registeredModelFromJson(readObject(answer, "registered_model"));

const versionOf = (answer: JsonObject): ModelVersion => modelVersionFromJson(readObject(answer, "model_version"));
