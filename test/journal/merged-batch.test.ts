import { expect, test } from "vitest";
import type { LogBatchOperation } from "../../src/entities/journal-entry.ts";
import { MergedBatch, splitBatch } from "../../src/journal/merged-batch.ts";
import { runId } from "./journal-rig.ts";

const batch = (parts: Partial<LogBatchOperation>): LogBatchOperation => ({ op: "log-batch", runId, ...parts });
const metrics = (count: number) => Array.from({ length: count }, (_, step) => ["loss", 0, 1, step] as const);

test("metrics keep their order, a tag its last value, and an equal param counts once", () => {
  const merged = new MergedBatch(batch({ metrics: [["b", 1, 1, 1]], tags: [{ key: "t", value: "1" }] }));
  expect(merged.add(batch({ metrics: [["a", 2, 1, 1]], params: [{ key: "p", value: "x" }] }))).toBe(true);
  expect(merged.add(batch({ params: [{ key: "p", value: "x" }], tags: [{ key: "t", value: "2" }] }))).toBe(true);
  expect(merged.operation).toEqual(
    batch({
      metrics: [
        ["b", 1, 1, 1],
        ["a", 2, 1, 1],
      ],
      params: [{ key: "p", value: "x" }],
      tags: [{ key: "t", value: "2" }],
    }),
  );
});

test("what would mean something else is not merged, and leaves the batch as it was", () => {
  const merged = new MergedBatch(batch({ params: [{ key: "p", value: "1" }] }));
  expect(merged.add(batch({ metrics: metrics(1), params: [{ key: "p", value: "2" }] }))).toBe(false);
  expect(merged.add({ ...batch({}), runId: "f".repeat(32) })).toBe(false);
  expect(merged.add({ op: "delete-tag", runId, key: "t" })).toBe(false);
  expect(merged.operation).toEqual(batch({ metrics: [], params: [{ key: "p", value: "1" }], tags: [] }));
});

test("a merged batch has at most 5,000 metrics; one entry may have more", () => {
  const merged = new MergedBatch(batch({ metrics: metrics(4000) }));
  expect(merged.add(batch({ metrics: metrics(1001) }))).toBe(false);
  expect(merged.add(batch({ metrics: metrics(1000) }))).toBe(true);
  expect(new MergedBatch(batch({ metrics: metrics(6000) })).operation.metrics).toHaveLength(6000);
});

test("the parts of a batch are those that can be refused apart", () => {
  const whole = batch({
    metrics: metrics(2),
    params: [
      { key: "a", value: "1" },
      { key: "b", value: "2" },
    ],
    tags: [{ key: "t", value: "1" }],
  });
  expect(splitBatch(whole)).toHaveLength(4);
  expect(splitBatch(batch({ metrics: metrics(2) }))).toHaveLength(1);
});
