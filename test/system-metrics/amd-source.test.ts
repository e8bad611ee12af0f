import { expect, test } from "vitest";
import { AmdSource, findAmdCards } from "../../src/system-metrics/amd-source.ts";
import { readGpuInventory } from "../../src/system-metrics/gpu-inventory.ts";
import { makeFolder, makeNvidiaSmi, fixtures, readFixture, writeTree } from "./helpers.ts";

const amdFiles = JSON.parse(readFixture("amd-x2.json")) as Record<string, string>;

test("AMD cards in the kernel's order, with MLflow's names", () => {
  using folder = makeFolder();
  writeTree(folder.path, amdFiles);
  expect(new AmdSource(findAmdCards(folder.path)).sample()).toEqual([
    ["gpu_0_memory_usage_gigabytes", 42.9],
    ["gpu_0_memory_usage_percentage", 62.5],
    ["gpu_0_utilization_percentage", 97],
    ["gpu_0_power_usage_watts", 243],
    ["gpu_0_power_usage_percentage", 81],
    ["gpu_1_memory_usage_gigabytes", 1.1],
    ["gpu_1_memory_usage_percentage", 4.3],
    ["gpu_1_utilization_percentage", 5],
    ["gpu_1_power_usage_watts", 38],
  ]);
  expect(findAmdCards(`${folder.path}/nothing`)).toEqual([]);
});

test("the inventory of AMD and of NVIDIA GPUs", async () => {
  using folder = makeFolder();
  writeTree(folder.path, amdFiles);
  expect(await readGpuInventory({ env: {}, sysRoot: folder.path })).toEqual([
    { name: "AMD Instinct MI210", uuid: "18f68e602b8a790f", memoryMegabytes: 68_703 },
    { name: "AMD GPU 0x744c", memoryMegabytes: 25_753 },
  ]);
  makeNvidiaSmi(folder.path, { FAKE_GPUS: `${fixtures}/a100-x8.csv` });
  const gpus = await readGpuInventory({ env: { PATH: folder.path }, sysRoot: "/nowhere" });
  expect(gpus).toHaveLength(8);
  expect(gpus[0]).toEqual({
    name: "NVIDIA A100-SXM4-80GB",
    uuid: expect.stringMatching(/^GPU-/u) as string,
    memoryMegabytes: 85_899,
  });
});

test("no GPUs, a broken driver, a hanging nvidia-smi: an empty inventory", async () => {
  using folder = makeFolder();
  expect(await readGpuInventory({ env: {}, sysRoot: folder.path })).toEqual([]);
  makeNvidiaSmi(folder.path, { FAKE_GPUS: `${fixtures}/driver-error.txt`, FAKE_EXIT: "9" });
  expect(await readGpuInventory({ env: { PATH: folder.path }, sysRoot: folder.path })).toEqual([]);
  // Keeps the mode of the script before it.
  writeTree(folder.path, { "nvidia-smi": "#!/bin/sh\nexec sleep 60\n" });
  const options = { env: { PATH: folder.path }, sysRoot: folder.path, timeoutMs: 100 };
  expect(await readGpuInventory(options)).toEqual([]);
});
