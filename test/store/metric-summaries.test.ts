import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { hasMetricSummaries, type MetricSummary } from "../../src/store/metric-summaries.ts";
import { openTrackingStore } from "../../src/store/open-store.ts";
import type { TrackingStore } from "../../src/store/tracking-store.ts";

const runId = "a".repeat(32);
let folder: string;
let store: TrackingStore;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "track-summaries-"));
  store = await openTrackingStore(`sqlite:///${join(folder, "mlflow.db")}`, { mode: "write" });
  await store.createRun({ experimentId: "0", runId, userId: "ada", startTime: 1, runName: "a", tags: [] });
});

afterEach(async () => {
  await store[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

async function log(key: string, values: readonly number[], of: string = runId): Promise<void> {
  await store.logBatch(of, { metrics: values.map((value, step) => ({ key, value, step, timestamp: 1000 + step })) });
}

function summaries(seriesLength = 4): Promise<readonly MetricSummary[]> {
  if (!hasMetricSummaries(store)) throw new Error("the SQLite store must have summaries");
  return store.getMetricSummaries(runId, { seriesLength });
}

test("a run without metrics has none", async () => {
  expect(await summaries()).toEqual([]);
});

test("count, extremes and a short series of each metric, sorted by key, of this run alone", async () => {
  const other = "b".repeat(32);
  await store.createRun({ experimentId: "0", runId: other, userId: "ada", startTime: 1, runName: "b", tags: [] });
  await log("loss", [1000], other);
  await log("loss", [8, 6, 4, 2, 3, 5, 1, 1]);
  await log("acc", [0.5, -1]);
  expect(await summaries()).toEqual([
    { key: "acc", count: 2, min: -1, max: 0.5, series: [0.5, -1], isComplete: true },
    { key: "loss", count: 8, min: 1, max: 8, series: [7, 3, 4, 1], isComplete: true },
  ]);
});

test("NaN is a point, but no extreme, and leaves a gap only where all is NaN", async () => {
  await log("loss", [Number.NaN, Number.NaN, 2, Number.NaN]);
  await log("nan", [Number.NaN]);
  expect(await summaries(2)).toEqual([
    { key: "loss", count: 4, min: 2, max: 2, series: [Number.NaN, 2], isComplete: true },
    { key: "nan", count: 1, series: [Number.NaN], isComplete: true },
  ]);
});

test("a long run is sampled over its whole length, also where other runs wrote before and in between", async () => {
  const other = "b".repeat(32);
  await store.createRun({ experimentId: "0", runId: other, userId: "ada", startTime: 1, runName: "b", tags: [] });
  await log("loss", [0]);
  await log(
    "loss",
    Array.from({ length: 30_000 }, () => 5),
    other,
  );
  await log(
    "loss",
    Array.from({ length: 30_000 }, (_, step) => step + 1),
  );
  const [loss] = await summaries(3);
  expect(loss).toMatchObject({ key: "loss", isComplete: false });
  expect(loss?.count).toBeGreaterThan(1000);
  expect(loss?.count).toBeLessThan(20_000);
  const [first = 0, middle = 0, last = 0] = loss?.series ?? [];
  expect(Math.abs(first - 5000)).toBeLessThan(2500);
  expect(Math.abs(middle - 15_000)).toBeLessThan(2500);
  expect(Math.abs(last - 25_000)).toBeLessThan(2500);
});
