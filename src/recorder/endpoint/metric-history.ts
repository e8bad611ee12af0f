import type { Metric } from "../../entities/metric.ts";
import { isTransient } from "../../errors.ts";
import type { Page } from "../../store/tracking-store.ts";
import type { EndpointState } from "./endpoint-state.ts";

export interface HistoryRequest {
  /** The journal's id. */
  readonly runId: string;
  readonly key: string;
  readonly maxResults?: number;
  readonly pageToken?: string;
}

/** All points of a metric: the store's, behind what was said before. While a server is away, what the journal has of a run of the command's. */
export async function readHistory(state: EndpointState, request: HistoryRequest): Promise<Page<Metric>> {
  const { runId, key, ...page } = request;
  const { access, recording } = state;
  const isFamily = recording.isServer && state.isFamily(runId);
  if (isFamily && !(await access.settle())) return { items: fromJournal(state, request) };
  try {
    return await access.read((store) => store.getMetricHistory(recording.ids.toStore(runId), key, page));
  } catch (error) {
    if (isFamily && isTransient(error)) return { items: fromJournal(state, request) };
    throw error;
  }
}

/** Of this attempt; in the order in which a store has them. */
function fromJournal({ recording }: EndpointState, { runId, key }: HistoryRequest): readonly Metric[] {
  const points = new Map<string, Metric>();
  for (const { entry } of recording.entries()) {
    const { operation } = entry;
    if (operation.op !== "log-batch" || operation.runId !== runId) continue;
    for (const [name, value, timestamp, step, about] of operation.metrics ?? []) {
      if (name !== key) continue;
      // A store drops what is said twice.
      points.set(JSON.stringify([value, timestamp, step]), { key, value: Number(value), timestamp, step, ...about });
    }
  }
  return [...points.values()].toSorted((a, b) => a.timestamp - b.timestamp || a.step - b.step || a.value - b.value);
}
