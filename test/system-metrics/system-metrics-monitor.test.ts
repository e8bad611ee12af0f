import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { resolve } from "node:path";
import { expect, test } from "vitest";
import type { LogBatchRecord, LogRecord } from "../../src/entities/log-record.ts";
import {
  SystemMetricsMonitor,
  type SystemMetricsMonitorOptions,
} from "../../src/system-metrics/system-metrics-monitor.ts";
import { fixtures, isAlive, makeFolder, makeNvidiaSmi, until } from "./helpers.ts";

const monitorFile = resolve(import.meta.dirname, "../../src/system-metrics/system-metrics-monitor.ts");

function makeMonitor(more: Partial<SystemMetricsMonitorOptions> = {}) {
  const records: LogBatchRecord[] = [];
  const notices: string[] = [];
  const monitor = new SystemMetricsMonitor({
    sink: (record: LogRecord) => {
      if (record.type === "batch") records.push(record);
    },
    rootPid: () => undefined,
    ownPids: [process.pid],
    firstStep: 0,
    sysRoot: "/nowhere",
    env: {},
    onNotice: (text) => notices.push(text),
    now: Date.now,
    ...more,
  });
  return { monitor, records, notices };
}

const keysOf = (record: LogBatchRecord | undefined): string[] => (record?.metrics ?? []).map(([key]) => key);

test("a run that ends before the first sample is due has one complete sample", async () => {
  const child = spawn("sleep", ["0.4"]);
  const ended = once(child, "exit");
  const { monitor, records, notices } = makeMonitor({ rootPid: () => child.pid, runId: "r1", firstStep: 7 });
  monitor.start();
  await ended;
  const before = Date.now();
  await monitor.stop();
  expect(records).toHaveLength(1);
  expect(records[0]).toMatchObject({ type: "batch", runId: "r1", step: 7 });
  expect(records[0]!.timestamp).toBeGreaterThanOrEqual(before);
  expect(keysOf(records[0])).toEqual([
    "system/cpu_utilization_percentage",
    "system/system_memory_usage_megabytes",
    "system/system_memory_usage_percentage",
    "system/disk_usage_percentage",
    "system/disk_usage_megabytes",
    "system/disk_available_megabytes",
    "system/network_receive_megabytes",
    "system/network_transmit_megabytes",
    "system/process_cpu_utilization_percentage",
    "system/process_memory_rss_megabytes",
    "system/process_count",
    "system/process_threads",
    "system/process_read_megabytes",
    "system/process_write_megabytes",
  ]);
  expect(notices).toEqual(["not sampled: GPU (no nvidia-smi, no AMD device)"]);
  expect(monitor.peakMemoryMegabytes).toBeGreaterThan(0.2);
  expect(monitor.summary().peak.get("process_memory_rss_megabytes")).toBe(monitor.peakMemoryMegabytes);
});

test("samples in steps at the interval, with the node's name, and none after the end", async () => {
  const { monitor, records } = makeMonitor({ intervalSeconds: 0.02, nodeId: "node-3" });
  monitor.start();
  await until("three samples", () => records.length >= 3);
  await monitor.stop();
  await monitor.stop();
  const count = records.length;
  expect(records.map((record) => record.step)).toEqual(Array.from({ length: count }, (_, step) => step));
  expect(keysOf(records[0])[0]).toBe("system/node-3/cpu_utilization_percentage");
  expect(monitor.summary().mean.has("node-3/cpu_utilization_percentage")).toBe(true);
  await new Promise((resolve) => setTimeout(resolve, 60));
  expect(records).toHaveLength(count);
});

test("GPU numbers are in the samples, the summary and the closing line's means; nvidia-smi ends with the monitor", async () => {
  using folder = makeFolder();
  const smi = makeNvidiaSmi(folder.path, { FAKE_GPUS: `${fixtures}/laptop.csv` });
  const { monitor, records } = makeMonitor({ env: { PATH: folder.path }, intervalSeconds: 0.05 });
  monitor.start();
  await until("a GPU", () => keysOf(records.at(-1)).includes("system/gpu_0_utilization_percentage"));
  await monitor.stop();
  expect([...monitor.gpuUtilization]).toEqual([[0, 3]]);
  expect(monitor.summary().peak.get("gpu_0_memory_usage_megabytes")).toBe(536.9);
  await until("nvidia-smi's end", () => !isAlive(smi.calls()[0]!.pid));
});

test("a clock that is set changes timestamps only", async () => {
  let wall = 1_000_000;
  let monotonic = 0;
  const { monitor, records } = makeMonitor({
    now: () => wall,
    monotonic: () => monotonic,
    rootPid: () => process.pid,
    ownPids: [],
  });
  monitor.start();
  monotonic = 500;
  wall = 10;
  await monitor.stop();
  expect(records[0]!.timestamp).toBe(10);
  const values = new Map(records[0]!.metrics);
  expect(values.get("system/process_cpu_utilization_percentage")).toBeGreaterThanOrEqual(0);
});

test("nothing throws out: a bad sink, a bad notice, no /proc, a stop without a start", async () => {
  const fail = (): never => {
    throw new Error("bad");
  };
  const { monitor } = makeMonitor({ sink: fail, onNotice: fail, intervalSeconds: 0.01 });
  monitor.start();
  await new Promise((resolve) => setTimeout(resolve, 50));
  await monitor.stop();
  await makeMonitor().monitor.stop();
  using folder = makeFolder();
  const without = makeMonitor({ procRoot: folder.path });
  without.monitor.start();
  await without.monitor.stop();
  expect(without.notices).toEqual([
    "not sampled: network, process tree (no /proc); GPU (no nvidia-smi, no AMD device)",
  ]);
  expect(keysOf(without.records[0])).toContain("system/cpu_utilization_percentage");
});

test("a running monitor does not keep its process alive", () => {
  using folder = makeFolder();
  makeNvidiaSmi(folder.path, { FAKE_GPUS: `${fixtures}/laptop.csv` });
  const program = `
    import { SystemMetricsMonitor } from ${JSON.stringify(monitorFile)};
    const monitor = new SystemMetricsMonitor({ sink() {}, rootPid: () => process.ppid, ownPids: [], firstStep: 0,
      env: { PATH: ${JSON.stringify(folder.path)} }, onNotice() {}, now: Date.now });
    monitor.start();
    setTimeout(() => console.log("over"), 300);`;
  const options = { timeout: 5000, killSignal: "SIGKILL", encoding: "utf8" } as const;
  expect(execFileSync(process.execPath, ["--input-type=module", "-e", program], options)).toBe("over\n");
});
