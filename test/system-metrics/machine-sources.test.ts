import { statfsSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { CpuSource, parseCpuTimes } from "../../src/system-metrics/cpu-source.ts";
import { DiskSource } from "../../src/system-metrics/disk-source.ts";
import { MemorySource, parseMeminfo } from "../../src/system-metrics/memory-source.ts";
import { NetworkSource } from "../../src/system-metrics/network-source.ts";
import { makeFolder, writeTree } from "./helpers.ts";

const header =
  "Inter-|   Receive        |  Transmit\n face |bytes packets errs drop fifo frame compressed multicast|bytes\n";
const device = (name: string, received: number, transmitted: number): string =>
  `${name}: ${received} 1 0 0 0 0 0 0 ${transmitted} 1 0 0 0 0 0 0\n`;

test("idle and iowait are not busy, and guest time is not counted twice", () => {
  expect(parseCpuTimes("cpu  100 10 50 800 40 5 5 10 60 6\ncpu0 1 2 3 4\n")).toEqual({ total: 1020, busy: 180 });
});

test("the CPU percentage is of the time since the previous sample", () => {
  using folder = makeFolder();
  const stat = (busy: number, idle: number): void =>
    writeTree(folder.path, { stat: `cpu  ${busy} 0 0 ${idle} 0 0 0 0 0 0\n` });
  stat(1000, 1000);
  const source = new CpuSource({ procRoot: folder.path, hasProc: true });
  stat(1030, 1070);
  expect(source.sample()).toEqual([["cpu_utilization_percentage", 30]]);
  stat(1031, 1070);
  expect(source.sample()).toEqual([["cpu_utilization_percentage", 30]]);
  stat(1050, 1150);
  expect(source.sample()).toEqual([["cpu_utilization_percentage", 20]]);
  source.close();
});

test("used memory is what is not available", () => {
  using folder = makeFolder();
  writeTree(folder.path, {
    meminfo: "MemTotal:  1000000 kB\nMemFree:  100000 kB\nMemAvailable:  400000 kB\nCached: 1 kB\n",
  });
  const source = new MemorySource({ procRoot: folder.path, hasProc: true });
  expect(source.sample()).toEqual([
    ["system_memory_usage_megabytes", 614.4],
    ["system_memory_usage_percentage", 60],
  ]);
  source.close();
});

test("an old kernel's and a container's memory", () => {
  const old = "MemTotal: 1000 kB\nMemFree: 100 kB\nBuffers: 50 kB\nCached: 250 kB\nSwapCached: 7 kB\n";
  expect(parseMeminfo(old)).toEqual({ total: 1_024_000, available: 409_600 });
  const container = "MemTotal: 1000 kB\nMemFree: 300 kB\nMemAvailable: 9000 kB\n";
  expect(parseMeminfo(container)).toEqual({ total: 1_024_000, available: 307_200 });
});

test("traffic counts from construction, over all interfaces, through resets and comings and goings", () => {
  using folder = makeFolder();
  const file = `${folder.path}/net/dev`;
  writeTree(folder.path, {
    "net/dev": header + device("    lo", 500_000, 500_000) + device("  eth0", 9_000_000, 1_000_000),
  });
  const source = new NetworkSource({ procRoot: folder.path, hasProc: true });
  writeFileSync(
    file,
    header + device("lo", 750_000, 750_000) + device("eth0:1", 0, 0) + device("eth0", 10_000_000, 1_500_000),
  );
  expect(source.sample()).toEqual([
    ["network_receive_megabytes", 1.25],
    ["network_transmit_megabytes", 0.75],
  ]);
  writeFileSync(file, header + device("eth0", 250_000, 1_500_000) + device("wlan0", 1_000_000, 0));
  expect(source.sample()).toEqual([
    ["network_receive_megabytes", 2.5],
    ["network_transmit_megabytes", 0.75],
  ]);
  source.close();
});

test("the disk's percentage is of what a user can have", () => {
  const values = new Map(new DiskSource().sample());
  const { blocks, bfree, bavail, frsize } = statfsSync("/");
  const used = (blocks - bfree) * frsize;
  expect(values.get("disk_usage_percentage")).toBeCloseTo((used / (used + bavail * frsize)) * 100, 0);
  expect(values.get("disk_usage_megabytes")).toBeCloseTo(used / 1e6, -3);
  expect(values.get("disk_available_megabytes")).toBeCloseTo((bavail * frsize) / 1e6, -3);
});
