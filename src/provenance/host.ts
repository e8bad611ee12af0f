import { arch, cpus, hostname, machine, release, totalmem, type } from "node:os";
import { trackTags } from "../entities/tag-keys.ts";
import type { Tag } from "../entities/tag.ts";
import { readStart, readText } from "./quiet-files.ts";

/**
 * Inventory of this machine: host name, platform, processor and memory (megabytes of 1e6 bytes), the whole machine's, whatever
 * a cgroup or an affinity mask leaves to the command. Starts nothing, never throws.
 */
export async function hostTags(): Promise<readonly Tag[]> {
  const [distribution, processor, count] = await Promise.all([
    readDistribution(),
    readProcessor(),
    readProcessorCount(),
  ]);
  const system = `${type()} ${release()} ${machine()}`;
  return [
    { key: trackTags.host, value: hostname() },
    { key: trackTags.platform, value: distribution === undefined ? system : `${system} (${distribution})` },
    { key: trackTags.cpu, value: `${processor} (${count} logical)` },
    { key: trackTags.memoryMegabytes, value: String(Math.round(totalmem() / 1e6)) },
  ];
}

/** What /etc/os-release calls the distribution. */
export async function readDistribution(): Promise<string | undefined> {
  const text = (await readText("/etc/os-release")) ?? "";
  return /^PRETTY_NAME=["']?(.*?)["']?$/mu.exec(text)?.[1];
}

/** From the first processor's paragraph: reading all of a large machine's takes the kernel tens of milliseconds. */
async function readProcessor(): Promise<string> {
  const text = (await readStart("/proc/cpuinfo", 4096)) ?? "";
  const name = /^(?:model name|cpu model|Model|uarch)\s*:\s*(.*)$/mu.exec(text)?.[1];
  return name?.replaceAll(/\s+/gu, " ").trim() || arch();
}

/** `os.cpus()` reads every processor's clock; the kernel's own list (`0-3,8`) is one line. */
async function readProcessorCount(): Promise<number> {
  const ranges = (await readText("/sys/devices/system/cpu/online"))?.trim() ?? "";
  if (!/^\d+(?:-\d+)?(?:,\d+(?:-\d+)?)*$/u.test(ranges)) return cpus().length;
  return ranges.split(",").reduce((sum, range) => {
    const [first = "0", last = first] = range.split("-");
    return sum + Number(last) - Number(first) + 1;
  }, 0);
}
