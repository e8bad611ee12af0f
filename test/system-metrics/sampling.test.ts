import { expect, test } from "vitest";
import { GuardedSource } from "../../src/system-metrics/guarded-source.ts";
import { MetricSummary } from "../../src/system-metrics/metric-summary.ts";
import { SamplingSchedule } from "../../src/system-metrics/sampling-schedule.ts";

test("every second in the first minute, then every ten", () => {
  const schedule = new SamplingSchedule(0);
  const times: number[] = [];
  for (let now = 0; now < 100_000;) {
    now += schedule.delayMs(now);
    times.push(now);
  }
  expect(times.slice(0, 3)).toEqual([1000, 2000, 3000]);
  expect(times.filter((time) => time <= 60_000)).toHaveLength(60);
  expect(times.slice(-4)).toEqual([70_000, 80_000, 90_000, 100_000]);
});

test("samples do not drift, and what is overdue is skipped", () => {
  const schedule = new SamplingSchedule(0, 1);
  expect(schedule.delayMs(0)).toBe(1000);
  expect(schedule.delayMs(1030)).toBe(970);
  expect(schedule.delayMs(2010)).toBe(990);
  expect(schedule.delayMs(9500)).toBe(1000);
  expect(schedule.delayMs(10_600)).toBe(900);
});

test("expensive samples are taken less often, unless the interval was given", () => {
  const adaptive = new SamplingSchedule(0);
  const given = new SamplingSchedule(0, 2);
  for (const cost of [200, 15, 40]) {
    adaptive.addCost(cost);
    given.addCost(cost);
  }
  expect(adaptive.intervalMs(5000)).toBe(3000);
  expect(given.intervalMs(5000)).toBe(2000);
});

test("a source that fails loses its sample, three times in a row itself, with one notice", () => {
  const notices: string[] = [];
  let calls = 0;
  let closed = 0;
  const failsAt = new Set([1, 2, 4, 5, 6, 7]);
  const source = {
    name: "thing",
    sample: () => {
      calls += 1;
      if (failsAt.has(calls)) throw new Error("broken\nbadly");
      return [
        ["a", calls],
        ["b", Number.NaN],
      ] as const;
    },
    close: () => {
      closed += 1;
    },
  };
  const guarded = new GuardedSource(source, (text) => notices.push(text));
  const samples = Array.from({ length: 9 }, () => guarded.sample(0));
  expect(samples).toEqual([[], [], [["a", 3]], [], [], [], [], [], []]);
  expect([calls, closed]).toEqual([6, 1]);
  expect(notices).toEqual(["no longer sampled: thing (broken badly)"]);
});

test("means are weighted by time, peaks are not", () => {
  const summary = new MetricSummary();
  summary.add(
    [
      ["cpu_utilization_percentage", 100],
      ["gpu_1_utilization_percentage", 90],
      ["process_count", 3],
    ],
    1,
  );
  summary.add(
    [
      ["cpu_utilization_percentage", 12],
      ["gpu_1_utilization_percentage", 57],
      ["disk_available_megabytes", 5],
    ],
    10,
  );
  expect(summary.summarize("n/")).toEqual({
    peak: new Map([
      ["n/cpu_utilization_percentage", 100],
      ["n/gpu_1_utilization_percentage", 90],
      ["n/process_count", 3],
    ]),
    mean: new Map([
      ["n/cpu_utilization_percentage", 20],
      ["n/gpu_1_utilization_percentage", 60],
    ]),
  });
  expect(summary.gpuUtilization()).toEqual(new Map([[1, 60]]));
});
