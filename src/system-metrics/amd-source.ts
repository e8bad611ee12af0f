import { readdirSync } from "node:fs";
import { hasCode } from "../util/error-code.ts";
import { type MetricSource, type MetricValue, percentOf, round1 } from "./metric-source.ts";
import { readKernelFile, readKernelNumber } from "./proc-file.ts";

/** An AMD GPU: its number among the AMD GPUs in the order of the kernel's cards, and its folder in sysfs. */
export interface AmdCard {
  readonly index: number;
  readonly devicePath: string;
  readonly hwmonPath: string | undefined;
}

/**
 * AMD GPUs from amdgpu's sysfs files, all of the machine, under the names of MLflow's AMD monitor: memory in gigabytes
 * (1e9 bytes), `gpu_<i>_memory_usage_gigabytes`, where NVIDIA's is in megabytes; no second name in megabytes. The power
 * percentage is of the card's own cap, and left out where it has none; MLflow divides by a fixed 500 W.
 */
export class AmdSource implements MetricSource {
  readonly name = "GPU";
  readonly #cards: readonly AmdCard[];

  constructor(cards: readonly AmdCard[]) {
    this.#cards = cards;
  }

  sample(): readonly MetricValue[] {
    return this.#cards.flatMap(sampleCard);
  }
}

/** Cards with AMD's vendor id that report load or memory; none where there is no sysfs. */
export function findAmdCards(sysRoot: string): readonly AmdCard[] {
  const folder = `${sysRoot}/class/drm`;
  return listFolder(folder)
    .filter((name) => /^card\d+$/u.test(name))
    .sort((one, other) => Number(one.slice(4)) - Number(other.slice(4)))
    .map((name) => `${folder}/${name}/device`)
    .filter((path) => readKernelFile(`${path}/vendor`)?.trim() === "0x1002")
    .filter((path) => ["gpu_busy_percent", "mem_info_vram_total"].some((file) => readKernelFile(`${path}/${file}`)))
    .map((devicePath, index) => {
      const hwmon = listFolder(`${devicePath}/hwmon`)[0];
      return { index, devicePath, hwmonPath: hwmon === undefined ? undefined : `${devicePath}/hwmon/${hwmon}` };
    });
}

function sampleCard({ index, devicePath, hwmonPath }: AmdCard): readonly MetricValue[] {
  const values: MetricValue[] = [];
  const used = readKernelNumber(`${devicePath}/mem_info_vram_used`);
  const total = readKernelNumber(`${devicePath}/mem_info_vram_total`);
  if (used !== undefined) {
    values.push([`gpu_${index}_memory_usage_gigabytes`, round1(used / 1e9)]);
    if (total !== undefined) values.push([`gpu_${index}_memory_usage_percentage`, percentOf(used, total)]);
  }
  const busy = readKernelNumber(`${devicePath}/gpu_busy_percent`);
  if (busy !== undefined) values.push([`gpu_${index}_utilization_percentage`, busy]);
  if (hwmonPath === undefined) return values;
  // Newer cards have only the momentary value.
  const microwatts = readKernelNumber(`${hwmonPath}/power1_average`) ?? readKernelNumber(`${hwmonPath}/power1_input`);
  const cap = readKernelNumber(`${hwmonPath}/power1_cap`);
  if (microwatts !== undefined) {
    values.push([`gpu_${index}_power_usage_watts`, round1(microwatts / 1e6)]);
    if (cap !== undefined && cap > 0) values.push([`gpu_${index}_power_usage_percentage`, percentOf(microwatts, cap)]);
  }
  return values;
}

function listFolder(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR", "EACCES", "EPERM")) return [];
    throw error;
  }
}
