import type { Param } from "../entities/param.ts";
import { attemptTag } from "../entities/tag-keys.ts";
import type { Tag } from "../entities/tag.ts";
import type { LogBatchRequest, TrackingStore } from "../store/tracking-store.ts";
import { hasCodeOf } from "./replay.ts";

/** A param that the store has with another value, and the tag that says what was said here. */
export interface KeptParam {
  readonly key: string;
  readonly known: string;
  readonly tag: Tag;
}

export interface ParamKeeping {
  /** That said the params. */
  readonly attempt: number;
  readonly onKept: (kept: KeptParam) => void;
}

/**
 * Logs a batch. Params are written once: one that the store has with another value, which another process or host has given it,
 * becomes a tag of the attempt (records.md). Rejects as the store does where that is not what stands in the way.
 */
export async function logParamsOnce(
  store: TrackingStore,
  runId: string,
  request: LogBatchRequest,
  keeping: ParamKeeping | undefined,
): Promise<void> {
  const { params = [], tags = [] } = request;
  try {
    await store.logBatch(runId, request);
  } catch (error) {
    if (keeping === undefined || params.length === 0 || !hasCodeOf(error, "INVALID_PARAMETER_VALUE")) throw error;
    const { data } = await store.getRun(runId);
    const kept = findDiffering(data.params, params, keeping.attempt);
    if (kept.length === 0) throw error;
    const keys = new Set(kept.map(({ key }) => key));
    const once = params.filter(({ key }) => !keys.has(key));
    await store.logBatch(runId, { ...request, params: once, tags: [...tags, ...kept.map(({ tag }) => tag)] });
    for (const each of kept) keeping.onKept(each);
  }
}

function findDiffering(stored: readonly Param[], said: readonly Param[], attempt: number): readonly KeptParam[] {
  const knownValues = new Map(stored.map(({ key, value }) => [key, value]));
  return said.flatMap(({ key, value }) => {
    const known = knownValues.get(key);
    // A store keeps a lone surrogate as U+FFFD: the same value said again must not look changed.
    if (known === undefined || known === value.toWellFormed()) return [];
    return [{ key, known, tag: { key: attemptTag(attempt, `param.${key}`), value } }];
  });
}
