import type { MetricTuple } from "../entities/journal-entry.ts";
import { mlflowTags } from "../entities/tag-keys.ts";
import type { Tag } from "../entities/tag.ts";
import type { RunIdMap } from "./apply-operation.ts";
import type { LaterOperation } from "./attempt-guard.ts";

/** The operation as the store must be told it: each id that the command's processes know is the store's own. */
export function withStoreIds(operation: LaterOperation, ids: RunIdMap | undefined): LaterOperation {
  if (ids === undefined) return operation;
  return withNamedIds(withSubjectIds(operation, ids), ids);
}

/** What the operation is about. */
function withSubjectIds(operation: LaterOperation, ids: RunIdMap): LaterOperation {
  let mapped = operation;
  if ("runId" in mapped) mapped = { ...mapped, runId: ids.toStore(mapped.runId) };
  if ("modelId" in mapped) mapped = { ...mapped, modelId: ids.toStore(mapped.modelId) };
  if ("experimentId" in mapped && mapped.experimentId !== undefined && mapped.op !== "create-experiment") {
    mapped = { ...mapped, experimentId: ids.toStore(mapped.experimentId) };
  }
  return mapped;
}

/** What else it names. */
function withNamedIds(operation: LaterOperation, ids: RunIdMap): LaterOperation {
  if (operation.op === "log-batch") {
    const { metrics, tags } = operation;
    return {
      ...operation,
      ...(metrics !== undefined && { metrics: metrics.map((metric) => ofStoreModel(metric, ids)) }),
      ...(tags !== undefined && { tags: tags.map((tag) => withStoreParent(tag, ids)) }),
    };
  }
  if (operation.op === "log-inputs") {
    return { ...operation, modelIds: operation.modelIds.map((id) => ids.toStore(id)) };
  }
  if (operation.op === "log-outputs") {
    return { ...operation, models: operation.models.map((one) => ({ ...one, modelId: ids.toStore(one.modelId) })) };
  }
  if (operation.op === "create-logged-model" && operation.sourceRunId !== undefined) {
    return { ...operation, sourceRunId: ids.toStore(operation.sourceRunId) };
  }
  return operation;
}

/** A parent that the command's processes know by another id than the store. */
export function withStoreParent(tag: Tag, ids: RunIdMap | undefined): Tag {
  if (tag.key !== mlflowTags.parentRunId || ids?.isCreated(tag.value) !== true) return tag;
  return { key: tag.key, value: ids.toStore(tag.value) };
}

function ofStoreModel(metric: MetricTuple, ids: RunIdMap): MetricTuple {
  const [key, value, timestamp, step, about] = metric;
  if (about?.modelId === undefined) return metric;
  return [key, value, timestamp, step, { ...about, modelId: ids.toStore(about.modelId) }];
}
