import { rm } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { hasMetricSeries, type MetricSeries } from "../../src/store/metric-series.ts";
import { openTrackingStore } from "../../src/store/open-store.ts";
import type { TrackingStore } from "../../src/store/tracking-store.ts";
import { makeFolder } from "./sqlite-rig.ts";

const runId = "a".repeat(32);
const otherId = "b".repeat(32);
let folder: string;
let store: TrackingStore;

beforeEach(async () => {
  folder = await makeFolder();
  store = await openTrackingStore(`sqlite:///${join(folder, "mlflow.db")}`, { mode: "write" });
  for (const id of [runId, otherId]) {
    await store.createRun({ experimentId: "0", runId: id, userId: "ada", startTime: 1, runName: "a", tags: [] });
  }
});

afterEach(async () => {
  await store[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

async function log(key: string, values: readonly number[], of: string = runId): Promise<void> {
  await store.logBatch(of, { metrics: values.map((value, step) => ({ key, value, step, timestamp: 1000 + step })) });
}

function series(...keys: readonly string[]): Promise<readonly MetricSeries[]> {
  if (!hasMetricSeries(store)) throw new Error("the SQLite store must have series");
  return store.getMetricSeries(runId, keys);
}

test("each point in the order of arrival, of the keys asked for and of this run alone", async () => {
  await log("loss", [9], otherId);
  await log("loss", [2, Number.NaN]);
  await log("acc", [0.5]);
  await log("lr", [1]);
  expect(await series("loss", "nope", "acc")).toEqual([
    {
      key: "loss",
      count: 2,
      isExact: true,
      points: [
        { step: 0, timestamp: 1000, value: 2, low: 2, high: 2 },
        { step: 1, timestamp: 1001, value: Number.NaN, low: Number.NaN, high: Number.NaN },
      ],
    },
    { key: "acc", count: 1, isExact: true, points: [{ step: 0, timestamp: 1000, value: 0.5, low: 0.5, high: 0.5 }] },
  ]);
  expect(await series()).toEqual([]);
});

test("a long history becomes some 2,000 places that hide no spike, whatever other runs wrote in between", async () => {
  const values = Array.from({ length: 50_000 }, (_, step) => step / 1000);
  values[31_234] = 777;
  values[12_345] = Number.NaN;
  values[40_000] = Infinity;
  await log("loss", values.slice(0, 20_000));
  await log("loss", values, otherId);
  await store.logBatch(runId, {
    metrics: values.slice(20_000).map((value, index) => ({
      key: "loss",
      value,
      step: 20_000 + index,
      timestamp: 90_000 + index,
    })),
  });
  await log("rare", [1, 2, 3]);
  const [loss, rare] = await series("loss", "rare");
  expect(loss).toMatchObject({ key: "loss", count: 50_000, isExact: false });
  const points = loss?.points ?? [];
  expect(points.length).toBeGreaterThan(1900);
  expect(points.length).toBeLessThanOrEqual(2001);
  expect(Math.max(...points.map(({ high }) => high))).toBe(777);
  expect(Math.min(...points.map(({ low }) => low))).toBe(0);
  expect(points[0]).toMatchObject({ step: 12, timestamp: 1012, value: 0.0125, low: 0, high: 0.025 });
  expect(points.every(({ value }) => Number.isFinite(value))).toBe(true);
  expect(rare).toMatchObject({ count: 3 });
  expect(rare?.points.at(-1)?.high).toBe(3);
});
