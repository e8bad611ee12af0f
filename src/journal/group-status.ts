import type { UpdateRunOperation } from "../entities/journal-entry.ts";
import type { Run } from "../entities/run.ts";
import { isTerminalStatus, type RunStatus } from "../entities/run-status.ts";
import { rankTag, rankTagPattern } from "../entities/tag-keys.ts";
import type { RunStore } from "../store/tracking-store.ts";

const order: readonly (RunStatus | undefined)[] = ["FINISHED", "KILLED", "FAILED"];

/**
 * The status of a run that several ranks share, which is that of its worst rank. Ranks write their tags before this, and each
 * side looks again after it has written: whoever comes last sees the other.
 */
export async function updateSharedRun(
  store: RunStore,
  { runId, status = "FINISHED", endTime, ...operation }: UpdateRunOperation,
): Promise<void> {
  if (operation.share === "joined") return await worsen(store, await store.getRun(runId), status);
  const found = await store.getRun(runId);
  const isKept = operation.unlessTerminal === true && isTerminalStatus(found.info.status);
  const before = worst(found, isKept ? found.info.status : status);
  await store.updateRun(runId, { status: before, ...(endTime !== undefined && { endTime }) });
  const written = await store.getRun(runId);
  await worsen(store, written, worst(written, before));
}

async function worsen(store: RunStore, { info }: Run, status: RunStatus): Promise<void> {
  if (!isTerminalStatus(info.status) || order.indexOf(status) <= order.indexOf(info.status)) return;
  await store.updateRun(info.runId, { status, ...(info.endTime !== undefined && { endTime: info.endTime }) });
}

/** Of what rank 0 has to say and what the other ranks have left in the tags. */
function worst({ data }: Run, own: RunStatus): RunStatus {
  const said = data.tags.filter(({ key }) => rankTagPattern.exec(key)?.[2] === "status").map(({ value }) => value);
  return said.reduce<RunStatus>((found, value) => {
    const status = order.find((known) => known === value) ?? found;
    return order.indexOf(status) > order.indexOf(found) ? status : found;
  }, own);
}

/** Tags of a rank that did not end well, from those of a run's end. */
export function rankEndTags(
  index: number,
  status: RunStatus,
  tags: readonly { readonly key: string; readonly value: string }[],
): readonly { readonly key: string; readonly value: string }[] {
  if (status === "FINISHED") return [];
  const own = tags.map(({ key, value }) => ({ key: rankTag(index, key.replace(/^track\./u, "")), value }));
  return [{ key: rankTag(index, "status"), value: status }, ...own];
}
