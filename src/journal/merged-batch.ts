import type { LogBatchOperation, MetricTuple, StoreOperation } from "../entities/journal-entry.ts";

/** One transaction of the store: 5,000 rows block the thread some 20 to 40 ms. */
const maxMetrics = 5000;
const maxPairs = 1000;

/** Neighbouring batches of one run as one, where that means the same: a tag set twice keeps its last value, a param that differs is not merged. */
export class MergedBatch {
  readonly #runId: string;
  readonly #metrics: MetricTuple[] = [];
  readonly #params = new Map<string, string>();
  readonly #tags = new Map<string, string>();

  constructor(first: LogBatchOperation) {
    this.#runId = first.runId;
    this.#take(first);
  }

  /** False, and nothing changed, where the operation cannot become part of this batch. */
  add(operation: StoreOperation): boolean {
    if (operation.op !== "log-batch" || operation.runId !== this.#runId || !this.#hasRoomFor(operation)) return false;
    if (operation.params?.some(({ key, value }) => (this.#params.get(key) ?? value) !== value)) return false;
    this.#take(operation);
    return true;
  }

  get operation(): LogBatchOperation {
    return {
      op: "log-batch",
      runId: this.#runId,
      metrics: this.#metrics,
      params: Array.from(this.#params, ([key, value]) => ({ key, value })),
      tags: Array.from(this.#tags, ([key, value]) => ({ key, value })),
    };
  }

  #hasRoomFor(operation: LogBatchOperation): boolean {
    return (
      this.#metrics.length + (operation.metrics?.length ?? 0) <= maxMetrics &&
      this.#params.size + (operation.params?.length ?? 0) <= maxPairs &&
      this.#tags.size + (operation.tags?.length ?? 0) <= maxPairs
    );
  }

  #take(operation: LogBatchOperation): void {
    for (const metric of operation.metrics ?? []) this.#metrics.push(metric);
    for (const { key, value } of operation.params ?? []) this.#params.set(key, value);
    for (const { key, value } of operation.tags ?? []) this.#tags.set(key, value);
  }
}

/** A batch in the smallest parts that a store can refuse apart: its metrics, each param, each tag. */
export function splitBatch(operation: LogBatchOperation): readonly LogBatchOperation[] {
  const { op, runId, metrics = [], params = [], tags = [] } = operation;
  return [
    ...params.map((param) => ({ op, runId, params: [param] })),
    ...(metrics.length > 0 ? [{ op, runId, metrics }] : []),
    ...tags.map((tag) => ({ op, runId, tags: [tag] })),
  ];
}
