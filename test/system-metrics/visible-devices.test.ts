import { expect, test } from "vitest";
import { parseGpuLine } from "../../src/system-metrics/nvidia-smi-csv.ts";
import {
  needsMigParents,
  type NvidiaGpu,
  parseMigParents,
  parseVisibleDevices,
  resolveVisibleDevices,
} from "../../src/system-metrics/visible-devices.ts";
import { readFixture } from "./helpers.ts";

const readGpus = (name: string): NvidiaGpu[] =>
  readFixture(name)
    .split("---")[0]!
    .split("\n")
    .flatMap((line) => parseGpuLine(line) ?? []);

const eight = readGpus("a100-x8.csv");
const uuid = (index: number): string => eight[index]!.uuid;

function indices(list: string | undefined, gpus = eight, order?: string): readonly number[] | undefined {
  const devices = parseVisibleDevices({ CUDA_VISIBLE_DEVICES: list, CUDA_DEVICE_ORDER: order });
  const uuids = resolveVisibleDevices(devices, gpus);
  return uuids && gpus.filter((gpu) => uuids.has(gpu.uuid)).map((gpu) => gpu.index);
}

test.each([
  [undefined, undefined],
  ["0,2", [0, 2]],
  [" 3 , 1 ", [1, 3]],
  ["", []],
  ["-1", []],
  ["NoDevFiles", []],
  ["5,-1,2", [5]],
  ["1,42,2", [1]],
  [uuid(4), [4]],
  [`${uuid(6).slice(0, 12)},${uuid(7).toUpperCase()}`, [6, 7]],
  ["GPU-00000000", []],
  [`MIG-${uuid(2)}/1/0,MIG-${uuid(3)}/5/0`, [2, 3]],
])("CUDA_VISIBLE_DEVICES=%s", (list, expected) => {
  expect(indices(list)).toEqual(expected);
});

test("indices on a machine with different GPUs are known only in PCI order", () => {
  const mixed = readGpus("mixed-x2.csv");
  expect(indices("0", mixed)).toBeUndefined();
  expect(indices("0", mixed, "PCI_BUS_ID")).toEqual([0]);
  expect(indices(mixed[1]!.uuid, mixed)).toEqual([1]);
});

test("MIG devices belong to the GPU that nvidia-smi -L lists them under", () => {
  const gpus = readGpus("a100-mig.csv");
  const list = readFixture("a100-mig.list");
  const mig = /MIG-[\da-f-]+/u.exec(list)![0];
  const devices = parseVisibleDevices({ CUDA_VISIBLE_DEVICES: mig });
  expect(needsMigParents(devices)).toBe(true);
  expect(resolveVisibleDevices(devices, gpus)).toBeUndefined();
  expect(resolveVisibleDevices(devices, gpus, parseMigParents(list))).toEqual(new Set([gpus[0]!.uuid]));
  expect(parseMigParents(list).size).toBe(3);
});

test("a container's NVIDIA_VISIBLE_DEVICES hides all GPUs only when it says none", () => {
  expect(parseVisibleDevices({ NVIDIA_VISIBLE_DEVICES: "none" }).kind).toBe("none");
  expect(parseVisibleDevices({ NVIDIA_VISIBLE_DEVICES: "void" }).kind).toBe("all");
  expect(parseVisibleDevices({ NVIDIA_VISIBLE_DEVICES: "none", CUDA_VISIBLE_DEVICES: "0" }).kind).toBe("listed");
});
