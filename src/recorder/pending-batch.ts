import type { LogBatchOperation, MetricTuple } from "../entities/journal-entry.ts";

/** What was said about one run since the last entry. Params and tags are keyed, since the last value of a tag wins. */
export class PendingBatch {
  readonly runId: string;
  metrics: MetricTuple[] = [];
  readonly params = new Map<string, string>();
  readonly tags = new Map<string, string>();

  constructor(runId: string) {
    this.runId = runId;
  }

  get points(): number {
    return this.metrics.length + this.params.size + this.tags.size;
  }

  /** One operation with all of it, or `undefined` when nothing was said; empty afterwards. */
  take(): LogBatchOperation | undefined {
    if (this.points === 0) return undefined;
    const operation: LogBatchOperation = {
      op: "log-batch",
      runId: this.runId,
      ...(this.metrics.length > 0 && { metrics: this.metrics }),
      ...(this.params.size > 0 && { params: toList(this.params) }),
      ...(this.tags.size > 0 && { tags: toList(this.tags) }),
    };
    this.metrics = [];
    this.params.clear();
    this.tags.clear();
    return operation;
  }
}

const toList = (map: ReadonlyMap<string, string>): { key: string; value: string }[] =>
  Array.from(map, ([key, value]) => ({ key, value }));
