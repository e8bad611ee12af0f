import type { RunStatus } from "../entities/run-status.ts";
import type { Run } from "../entities/run.ts";
import { trackTags } from "../entities/tag-keys.ts";
import type { Tag } from "../entities/tag.ts";
import type { RunStore } from "../store/tracking-store.ts";
import { tagOf } from "../wire/run-processes.ts";

export interface RunEnd {
  readonly status: RunStatus;
  /** ms since the epoch. */
  readonly endTime: number;
  readonly tags: readonly Tag[];
}

/** Ends a run that no recorder will end: what told that it lives goes, the status comes last, as a recorder writes it. */
export async function closeRun(store: RunStore, run: Run, end: RunEnd): Promise<void> {
  const { runId } = run.info;
  if (end.tags.length > 0) await store.logBatch(runId, { tags: end.tags });
  for (const key of [trackTags.process, trackTags.heartbeat]) {
    if (tagOf(run, key) !== undefined) await store.deleteTag(runId, key);
  }
  await store.updateRun(runId, { status: end.status, endTime: end.endTime });
}
