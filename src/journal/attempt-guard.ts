import type { StoreOperation } from "../entities/journal-entry.ts";
import { trackTags } from "../entities/tag-keys.ts";
import type { TrackingStore } from "../store/tracking-store.ts";

/** Everything but the making and finding of a run. */
export type LaterOperation = Exclude<StoreOperation, { readonly op: "create-run" | "join-run" }>;

/**
 * What of an operation an older attempt may still write: all, a part, or nothing (`undefined`). Tags and status of a run whose
 * `track.attempt` is above `attempt` stay as they are. `attempt` undefined: no check.
 */
export async function withoutTurningBack(
  store: TrackingStore,
  operation: LaterOperation,
  attempt: number | undefined,
): Promise<LaterOperation | undefined> {
  if (attempt === undefined || !turnsBack(operation)) return operation;
  const { data } = await store.getRun(operation.runId);
  const newest = data.tags.find(({ key }) => key === trackTags.attempt)?.value;
  if (newest === undefined || !(Number(newest) > attempt)) return operation;
  if (operation.op !== "log-batch") return undefined;
  const { tags: _tags, ...rest } = operation;
  return rest;
}

function turnsBack(
  operation: StoreOperation,
): operation is Extract<StoreOperation, { readonly op: "update-run" | "delete-tag" | "log-batch" }> {
  if (operation.op === "log-batch") return (operation.tags?.length ?? 0) > 0;
  return operation.op === "update-run" || operation.op === "delete-tag";
}
