import { chmodSync } from "node:fs";
import { afterEach, expect, test } from "vitest";
import { GpuSource, type GpuSourceOptions } from "../../src/system-metrics/gpu-source.ts";
import { NvidiaSource } from "../../src/system-metrics/nvidia-source.ts";
import { fixtures, isAlive, makeFolder, makeNvidiaSmi, readFixture, until, writeTree } from "./helpers.ts";

const opened: { close(): void }[] = [];
afterEach(() => {
  for (const source of opened.splice(0)) source.close();
});

function open(folder: string, more: Partial<GpuSourceOptions> = {}) {
  const notices: string[] = [];
  const source = new GpuSource({
    procRoot: "/proc",
    sysRoot: `${folder}/sys`,
    env: { PATH: folder, ...more.env },
    intervalMs: 1000,
    isMember: () => false,
    onNotice: (text) => notices.push(text),
    monotonic: () => performance.now(),
    ...Object.fromEntries(Object.entries(more).filter(([name]) => name !== "env")),
  });
  opened.push(source);
  source.start();
  return { source, notices, sample: () => Object.fromEntries(source.sample(performance.now())) };
}

async function sampleFixture(name: string, env: GpuSourceOptions["env"] = {}): Promise<Record<string, number>> {
  using folder = makeFolder();
  makeNvidiaSmi(folder.path, { FAKE_GPUS: `${fixtures}/${name}`, FAKE_LIST: `${fixtures}/a100-mig.list` });
  const { source, sample } = open(folder.path, { env });
  await source.waitForAnswer(5000);
  return sample();
}

const gpuIndices = (values: Record<string, number>): number[] => [
  ...new Set(Object.keys(values).map((key) => Number(key.split("_")[1]))),
];

test("eight GPUs by one long-lived nvidia-smi, with MLflow's names and megabytes of 1e6 bytes", async () => {
  using folder = makeFolder();
  const smi = makeNvidiaSmi(folder.path, { FAKE_GPUS: `${fixtures}/a100-x8.csv`, FAKE_SLEEP: "0.05" });
  const { source, notices, sample } = open(folder.path);
  await source.waitForAnswer(5000);
  expect(gpuIndices(sample())).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  const [index, , utilization, used, total, power, limit] = readFixture("a100-x8.csv").split("---\n")[1]!.split(", ");
  const second = await until("the second round", () => {
    const values = sample();
    return values[`gpu_${index}_power_usage_watts`] === Math.round(Number(power) * 10) / 10 && values;
  });
  expect(second).toMatchObject({
    gpu_0_memory_usage_megabytes: Math.round(Number(used) * 10.48576) / 10,
    gpu_0_memory_usage_percentage: Math.round((Number(used) / Number(total)) * 1000) / 10,
    gpu_0_utilization_percentage: Number(utilization),
    gpu_0_power_usage_percentage: Math.round((Number(power) / Number(limit)) * 1000) / 10,
  });
  expect(smi.calls()).toHaveLength(1);
  expect(smi.calls()[0]!.arguments).toContain("--loop-ms=1000");
  source.close();
  await until("its end", () => !isAlive(smi.calls()[0]!.pid));
  expect(notices).toEqual([]);
});

test("only the GPUs that the command may use, under their physical numbers", async () => {
  expect(gpuIndices(await sampleFixture("a100-x8.csv", { CUDA_VISIBLE_DEVICES: "6,2" }))).toEqual([2, 6]);
});

test("a MIG device stands for its GPU, whose utilization is not known", async () => {
  using folder = makeFolder();
  makeNvidiaSmi(folder.path, { FAKE_GPUS: `${fixtures}/a100-mig.csv`, FAKE_LIST: `${fixtures}/a100-mig.list` });
  const mig = /MIG-[\da-f-]+/u.exec(readFixture("a100-mig.list"))![0];
  const { sample } = open(folder.path, { env: { CUDA_VISIBLE_DEVICES: mig } });
  const values = await until("the list of MIG devices", () => {
    const now = sample();
    return Object.keys(now).length > 0 && gpuIndices(now).length === 1 && now;
  });
  expect(values).toEqual({
    gpu_0_memory_usage_megabytes: 25_368.2,
    gpu_0_memory_usage_percentage: 59.1,
    gpu_0_power_usage_watts: 142.8,
    gpu_0_power_usage_percentage: 35.7,
  });
});

test("values that nvidia-smi does not know are left out", async () => {
  expect(await sampleFixture("laptop.csv")).toEqual({
    gpu_0_memory_usage_megabytes: 536.9,
    gpu_0_memory_usage_percentage: 4.2,
    gpu_0_utilization_percentage: 3,
  });
  expect(await sampleFixture("gb10.csv")).toEqual({ gpu_0_utilization_percentage: 45, gpu_0_power_usage_watts: 38.6 });
  expect(await sampleFixture("a100-mig-container.csv")).toEqual({
    gpu_0_power_usage_watts: 142.8,
    gpu_0_power_usage_percentage: 35.7,
  });
  expect(await sampleFixture("old-driver.csv")).toEqual({
    gpu_0_memory_usage_megabytes: 1302.3,
    gpu_0_memory_usage_percentage: 62.2,
    gpu_1_memory_usage_megabytes: 1302.3,
    gpu_1_memory_usage_percentage: 15.6,
    gpu_1_utilization_percentage: 98,
    gpu_1_power_usage_watts: 163.5,
  });
});

test("output that ends within a line is whole lines only", async () => {
  expect(gpuIndices(await sampleFixture("cut.csv"))).toEqual([0, 1]);
});

test("a line that arrives in two pieces is one line", async () => {
  using folder = makeFolder();
  const [line = ""] = readFixture("a100-x8.csv").split("\n");
  const script = `#!/bin/sh\nprintf %s '${line.slice(0, 50)}'\nsleep 0.2\nprintf '%s\\n' '${line.slice(50)}'\nexec sleep 60\n`;
  writeTree(folder.path, { "nvidia-smi": script });
  chmodSync(`${folder.path}/nvidia-smi`, 0o755);
  const { source, sample } = open(folder.path);
  await source.waitForAnswer(5000);
  expect(sample()["gpu_0_memory_usage_megabytes"]).toBe(Math.round(Number(line.split(", ")[3]) * 10.48576) / 10);
});

test.each([
  ["driver-error.txt", "9", /^not sampled: GPU \(nvidia-smi: NVIDIA-SMI has failed .*\)$/u],
  ["version-mismatch.txt", "18", /^not sampled: GPU \(nvidia-smi: .*\)$/u],
])("a broken driver (%s) is told once, and nvidia-smi is not tried again", async (name, code, text) => {
  using folder = makeFolder();
  const variables = { FAKE_GPUS: `${fixtures}/${name}`, FAKE_EXIT: code, FAKE_ROUNDS: "1" };
  const smi = makeNvidiaSmi(folder.path, variables);
  const { source, notices, sample } = open(folder.path);
  await source.waitForAnswer(5000);
  expect(notices).toEqual([expect.stringMatching(text)]);
  expect(sample()).toEqual({});
  expect(smi.calls()).toHaveLength(1);
});

test("AMD takes over where NVIDIA fails, and is used where there is no nvidia-smi", async () => {
  using folder = makeFolder();
  writeTree(`${folder.path}/sys`, JSON.parse(readFixture("amd-x2.json")) as Record<string, string>);
  expect(gpuIndices(open(folder.path).sample())).toEqual([0, 1]);
  makeNvidiaSmi(folder.path, { FAKE_GPUS: `${fixtures}/driver-error.txt`, FAKE_EXIT: "9", FAKE_ROUNDS: "1" });
  const { source, notices, sample } = open(folder.path);
  await source.waitForAnswer(5000);
  expect(sample()["gpu_0_utilization_percentage"]).toBe(97);
  expect(notices).toEqual([]);
});

test("where the environment hides all GPUs nothing is started and nothing is said", async () => {
  using folder = makeFolder();
  const smi = makeNvidiaSmi(folder.path, { FAKE_GPUS: `${fixtures}/a100-x8.csv` });
  const { source, notices, sample } = open(folder.path, { env: { CUDA_VISIBLE_DEVICES: "" } });
  await source.waitForAnswer(5000);
  expect([sample(), smi.calls(), notices]).toEqual([{}, [], []]);
});

test("another interval starts nvidia-smi anew, once", async () => {
  using folder = makeFolder();
  const smi = makeNvidiaSmi(folder.path, { FAKE_GPUS: `${fixtures}/laptop.csv` });
  const { source } = open(folder.path);
  await source.waitForAnswer(5000);
  source.setInterval(10_000);
  source.setInterval(10_000);
  await until("the second start", () => smi.calls().length === 2);
  expect(smi.calls()[1]!.arguments).toContain("--loop-ms=10000");
  await until("the first one's end", () => !isAlive(smi.calls()[0]!.pid));
  expect(isAlive(smi.calls()[1]!.pid)).toBe(true);
});

function openNvidia(folder: string, variables: Record<string, string>, isMember?: (pid: number) => boolean) {
  const smi = makeNvidiaSmi(folder, variables);
  const gone: string[] = [];
  const source = new NvidiaSource({
    executable: smi.path,
    env: {},
    intervalMs: 1000,
    isMember,
    onReading: () => {},
    onGone: (reason) => gone.push(reason),
    monotonic: () => performance.now(),
    restartDelayMs: 1,
    appsDelayMs: 0,
  });
  opened.push(source);
  source.start();
  return { smi, gone, source, sample: () => Object.fromEntries(source.sample(performance.now())) };
}

test("one that dies is started again three times", async () => {
  using folder = makeFolder();
  const variables = { FAKE_GPUS: `${fixtures}/laptop.csv`, FAKE_ROUNDS: "1", FAKE_EXIT: "15" };
  const { smi, gone, sample } = openNvidia(folder.path, variables);
  expect(await until("the end", () => gone[0])).toBe("ended with 15");
  expect(smi.calls()).toHaveLength(4);
  expect(gone).toHaveLength(1);
  expect(gpuIndices(sample())).toEqual([0]);
});

test("nvidia-smi's process list narrows the GPUs to those on which the command was seen", async () => {
  using folder = makeFolder();
  const uuids = readFixture("a100-x8.csv")
    .split("\n")
    .map((line) => line.split(", ")[1]);
  writeTree(folder.path, { apps: `4711, ${uuids[1]}\n4712, ${uuids[3]}\n99, ${uuids[0]}\nno processes\n` });
  const variables = { FAKE_GPUS: `${fixtures}/a100-x8.csv`, FAKE_APPS: `${folder.path}/apps` };
  const isMember = (pid: number): boolean => pid === 4711 || pid === 4712;
  const { smi, sample } = openNvidia(folder.path, variables, isMember);
  const values = await until("the process list", () => {
    const now = sample();
    return gpuIndices(now).length === 2 && now;
  });
  expect(gpuIndices(values)).toEqual([1, 3]);
  expect(smi.calls().filter((call) => call.arguments.includes("compute-apps"))).toHaveLength(1);
  expect(smi.calls().at(-1)!.arguments).toContain("--loop-ms=60000");
});
