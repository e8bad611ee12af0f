import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { expect } from "vitest";
import { CpuSource } from "../../src/system-metrics/cpu-source.ts";
import { DiskSource } from "../../src/system-metrics/disk-source.ts";
import { MemorySource } from "../../src/system-metrics/memory-source.ts";
import { NetworkSource } from "../../src/system-metrics/network-source.ts";
import { findPsutil, makeFolder, writeTree } from "./helpers.ts";
import { testIf } from "../only-if.ts";

const python = findPsutil();

/** MLflow's formulas (mlflow/system_metrics/metrics), on a /proc that both read; a line on stdin asks for one sample. */
const program = `
import json, sys, psutil
psutil.PROCFS_PATH = sys.argv[1]
psutil.cpu_percent()
first = psutil.net_io_counters()
print("ready", flush=True)
for line in sys.stdin:
    memory, disk, network = psutil.virtual_memory(), psutil.disk_usage("/"), psutil.net_io_counters()
    print(json.dumps({
        "cpu_utilization_percentage": psutil.cpu_percent(),
        "system_memory_usage_megabytes": round(memory.used / 1e6, 1),
        "system_memory_usage_percentage": round(memory.used / memory.total * 100, 1),
        "network_receive_megabytes": (network.bytes_recv - first.bytes_recv) / 1e6,
        "network_transmit_megabytes": (network.bytes_sent - first.bytes_sent) / 1e6,
        "disk_usage_percentage": disk.percent,
        "disk_usage_megabytes": round(disk.used / 1e6, 1),
        "disk_available_megabytes": round(disk.free / 1e6, 1),
    }), flush=True)
`;

const writeProc = (root: string, round: number): void =>
  writeTree(root, {
    stat: `cpu  ${4705 + 377 * round} ${150 + round} ${1120 + 83 * round} ${16250 + 411 * round} ${520 + 59 * round} ${11 * round} ${7 * round} ${3 * round} ${40 * round} 0\ncpu0 1 1 1 1 1 1 1 0 0 0\n`,
    meminfo: `MemTotal: 24683656 kB\nMemFree: ${23833392 - 99_999 * round} kB\nMemAvailable: ${24209724 - 123_457 * round} kB\nBuffers: 5432 kB\nCached: 670860 kB\nSReclaimable: 30000 kB\nShmem: 8924 kB\nActive: 171420 kB\nInactive: 369804 kB\nSlab: 171912 kB\n`,
    "net/dev": `Inter-| Receive | Transmit\n face |bytes\n    lo: ${1234 + 777 * round} 1 0 0 0 0 0 0 ${1234 + 777 * round} 1 0 0 0 0 0 0\n  eth0: ${987_654 + 1_234_567 * round} 1 0 0 0 0 0 0 ${55_555 + 4321 * round} 1 0 0 0 0 0 0\n`,
  });

testIf(python !== undefined, "no python3 with psutil is here")(
  "cpu, memory, network and disk are what psutil says",
  async () => {
    using folder = makeFolder();
    writeProc(folder.path, 0);
    const child = spawn(python ?? "", ["-c", program, folder.path], { stdio: ["pipe", "pipe", "inherit"] });
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
    await lines.next();
    const options = { procRoot: folder.path, hasProc: true };
    const sources = [new CpuSource(options), new MemorySource(options), new NetworkSource(options), new DiskSource()];
    for (let round = 1; round <= 3; round += 1) {
      writeProc(folder.path, round);
      child.stdin.write("\n");
      const theirs = JSON.parse(String((await lines.next()).value)) as Record<string, number>;
      const ours = Object.fromEntries(sources.flatMap((source) => source.sample()));
      expect(Object.keys(ours).sort()).toEqual(Object.keys(theirs).sort());
      for (const [key, value] of Object.entries(theirs)) {
        // The disk is the real one, on which others write.
        if (key.startsWith("disk_"))
          expect(Math.abs((ours[key] ?? 0) - value), key).toBeLessThan(Math.max(0.2, value / 100));
        else expect(ours[key], key).toBeCloseTo(value, 9);
      }
    }
    child.stdin.end();
    await once(child, "close");
  },
);
