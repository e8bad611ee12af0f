import type { LoggedModel } from "../../entities/logged-model.ts";
import { trackTags } from "../../entities/tag-keys.ts";
import { StoreError } from "../../errors.ts";
import type { TrackingStore } from "../../store/tracking-store.ts";

/** The logged models of a source in the store that is imported into; a missing one is made. */
export class ModelMap {
  readonly #store: TrackingStore;
  readonly #keepsIds: boolean;
  readonly #found = new Map<string, LoggedModel>();
  /** Of an experiment on a server: models by the id that they had in the source. */
  readonly #earlier = new Map<string, ReadonlyMap<string, LoggedModel>>();

  constructor(store: TrackingStore, keepsIds: boolean) {
    this.#store = store;
    this.#keepsIds = keepsIds;
  }

  /** `source.experimentId` and `sourceRunId` are those of the store that is imported into. */
  async find(source: LoggedModel): Promise<LoggedModel> {
    const found = this.#found.get(source.modelId);
    if (found !== undefined) return found;
    const target = (await this.#findEarlier(source)) ?? (await this.#create(source));
    this.#found.set(source.modelId, target);
    return target;
  }

  /** The id here of a model of the source; its own where it was not among what was imported. */
  targetId(modelId: string): string {
    return this.#found.get(modelId)?.modelId ?? modelId;
  }

  /** The same of all that were imported. */
  get ids(): Readonly<Record<string, string>> {
    return Object.fromEntries(Array.from(this.#found, ([modelId, target]) => [modelId, target.modelId]));
  }

  async #findEarlier(source: LoggedModel): Promise<LoggedModel | undefined> {
    if (!this.#keepsIds) return (await this.#earlierIn(source.experimentId)).get(source.modelId);
    try {
      return await this.#store.getLoggedModel(source.modelId);
    } catch (error) {
      if (error instanceof StoreError && error.errorCode === "RESOURCE_DOES_NOT_EXIST") return undefined;
      throw error;
    }
  }

  async #earlierIn(experimentId: string): Promise<ReadonlyMap<string, LoggedModel>> {
    const known = this.#earlier.get(experimentId);
    if (known !== undefined) return known;
    const models = new Map<string, LoggedModel>();
    let pageToken: string | undefined;
    do {
      const page = await this.#store.searchLoggedModels({
        experimentIds: [experimentId],
        ...(pageToken !== undefined && { pageToken }),
      });
      for (const model of page.items) {
        const sourceId = model.tags.find(({ key }) => key === trackTags.importedModelId)?.value;
        if (sourceId !== undefined) models.set(sourceId, model);
      }
      pageToken = page.nextPageToken;
    } while (pageToken !== undefined);
    this.#earlier.set(experimentId, models);
    return models;
  }

  async #create(source: LoggedModel): Promise<LoggedModel> {
    const { modelId, experimentId, name, modelType, sourceRunId, params, tags, status } = source;
    const imported = this.#keepsIds ? [] : [{ key: trackTags.importedModelId, value: modelId }];
    const model = await this.#store.createLoggedModel({
      experimentId,
      ...(this.#keepsIds && { modelId }),
      name,
      ...(modelType !== undefined && { modelType }),
      ...(sourceRunId !== undefined && { sourceRunId }),
      params,
      tags: [...tags, ...imported],
    });
    if (status === "LOGGED_MODEL_PENDING") return model;
    return await this.#store.finalizeLoggedModel(model.modelId, status);
  }
}
