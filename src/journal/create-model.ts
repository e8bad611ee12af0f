import { trackTags } from "../entities/tag-keys.ts";
import type { CreateLoggedModelRequest, TrackingStore } from "../store/tracking-store.ts";
import type { RunIdMap } from "./apply-operation.ts";

type Request = CreateLoggedModelRequest & { readonly modelId: string };

/** Makes the model where the store gives it an id of its own, unless it is there already, known by its `track.create_id`. */
export async function createModel(store: TrackingStore, request: Request, ids: RunIdMap): Promise<void> {
  const { modelId, ...wanted } = request;
  if (ids.isCreated(modelId)) return;
  const found = ids.mayExist(modelId) ? await findByCreateId(store, request) : undefined;
  const tags = [...(request.tags ?? []), { key: trackTags.createId, value: modelId }];
  const made = found ?? (await store.createLoggedModel({ ...wanted, tags }));
  ids.created(modelId, made.modelId);
}

async function findByCreateId(store: TrackingStore, { experimentId, modelId }: Request) {
  const { items } = await store.searchLoggedModels({
    experimentIds: [experimentId],
    filter: `tags.\`${trackTags.createId}\` = '${modelId}'`,
    maxResults: 1,
  });
  return items[0];
}
