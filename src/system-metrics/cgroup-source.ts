import { existsSync } from "node:fs";
import { type MetricSource, megabytes, type MetricValue, round1 } from "./metric-source.ts";
import { readKernelFile, readKernelNumber } from "./proc-file.ts";

export interface CgroupOptions {
  readonly procRoot: string;
  readonly sysRoot: string;
  /** The wrapped command, whose cgroup counts; ours as long as it is not known. */
  readonly rootPid: () => number | undefined;
}

interface MemoryLimit {
  readonly limitBytes: number;
  readonly usagePath: string;
}

interface Limits {
  readonly memory: MemoryLimit | undefined;
  readonly cpuCores: number | undefined;
}

/** Limits change rarely and finding them reads a dozen files. */
const refreshMs = 60_000;

/**
 * The tightest memory limit, the usage at that level (page cache included, as the kernel counts), and the CPU limit in
 * cores: the smallest of the quotas on the way up and of the allowed CPUs where those are fewer than the machine has.
 * cgroup v2 and v1. Without a limit, no values.
 */
export class CgroupSource implements MetricSource {
  readonly name = "cgroup";
  readonly #options: CgroupOptions;
  #limits: Limits = { memory: undefined, cpuCores: undefined };
  #pid: number | undefined;
  #refreshAtMs = 0;

  constructor(options: CgroupOptions) {
    this.#options = options;
  }

  sample(monotonicMs: number): readonly MetricValue[] {
    const pid = this.#options.rootPid();
    if (this.#refreshAtMs <= monotonicMs || pid !== this.#pid) {
      this.#limits = readLimits(this.#options, pid) ?? this.#limits;
      this.#pid = pid;
      this.#refreshAtMs = monotonicMs + refreshMs;
    }
    const { memory, cpuCores } = this.#limits;
    const values: MetricValue[] = [];
    if (memory !== undefined) {
      const usage = readKernelNumber(memory.usagePath);
      if (usage !== undefined) values.push(["cgroup_memory_usage_megabytes", round1(megabytes(usage))]);
      values.push(["cgroup_memory_limit_megabytes", round1(megabytes(memory.limitBytes))]);
    }
    if (cpuCores !== undefined) values.push(["cgroup_cpu_limit_cores", cpuCores]);
    return values;
  }
}

/** `undefined` when the process is gone: what was known stays. */
function readLimits(options: CgroupOptions, pid: number | undefined): Limits | undefined {
  const membership = readKernelFile(`${options.procRoot}/${pid ?? "self"}/cgroup`);
  if (membership === undefined) return undefined;
  const machineCpus = countCpus(readKernelFile(`${options.sysRoot}/devices/system/cpu/online`));
  const root = `${options.sysRoot}/fs/cgroup`;
  const memory: MemoryLimit[] = [];
  const cores: number[] = [];
  for (const { controllers, path } of parseMembership(membership)) {
    const isV2 = controllers.length === 0;
    const has = (controller: string): boolean => isV2 || controllers.includes(controller);
    for (const level of controllerFolders(root, controllers).flatMap((folder) => levels(folder, path))) {
      if (has("memory")) memory.push(...readMemoryLimit(level, isV2));
      if (has("cpu")) cores.push(...readCpuQuota(level, isV2));
      if (has("cpuset")) cores.push(...readCpuset(level, isV2));
    }
  }
  // What is not below the machine's own size limits nothing; v1 says "no limit" by a huge number.
  const machineBytes = machineMemoryBytes(options.procRoot);
  const [tightest] = memory
    .filter((limit) => limit.limitBytes < machineBytes)
    .sort((a, b) => a.limitBytes - b.limitBytes);
  const [cpuCores] = cores.filter((count) => machineCpus === undefined || count < machineCpus).sort((a, b) => a - b);
  return { memory: tightest, cpuCores };
}

/** Lines of /proc/<pid>/cgroup; v2 is the one without controllers, and there may be v1 and v2 lines together. */
function parseMembership(text: string): { readonly controllers: readonly string[]; readonly path: string }[] {
  return text
    .split("\n")
    .filter(Boolean)
    .map((line) => {
      const [, controllers = "", ...path] = line.split(":");
      return { controllers: controllers.split(",").filter(Boolean), path: path.join(":") };
    });
}

/** Where a hierarchy is mounted: v1 by its controllers' names, v2 at the root, or in `unified` beside v1. */
function controllerFolders(root: string, controllers: readonly string[]): readonly string[] {
  if (controllers.length === 0)
    return readKernelFile(`${root}/cgroup.controllers`) === undefined ? [`${root}/unified`] : [root];
  const relevant = controllers.filter((name) => name === "memory" || name === "cpu" || name === "cpuset");
  if (relevant.length === 0) return [];
  const joined = `${root}/${controllers.join(",")}`;
  return existsSync(joined) ? [joined] : relevant.map((name) => `${root}/${name}`);
}

/**
 * The cgroup's own folder and all above it. In a container without a cgroup namespace the path is the host's and not there,
 * while the mount point is the container's own cgroup: then only that one exists.
 */
function levels(folder: string, path: string): readonly string[] {
  const found: string[] = [];
  for (let current = path; current !== "" && current !== "/"; current = current.slice(0, current.lastIndexOf("/"))) {
    found.push(`${folder}${current}`);
  }
  return [...found, folder];
}

function readMemoryLimit(level: string, isV2: boolean): readonly MemoryLimit[] {
  const limitBytes = readKernelNumber(`${level}/${isV2 ? "memory.max" : "memory.limit_in_bytes"}`);
  if (limitBytes === undefined) return [];
  return [{ limitBytes, usagePath: `${level}/${isV2 ? "memory.current" : "memory.usage_in_bytes"}` }];
}

function readCpuQuota(level: string, isV2: boolean): readonly number[] {
  const [quota, period] = isV2
    ? (readKernelFile(`${level}/cpu.max`)?.trim().split(" ") ?? []).map(Number)
    : [readKernelNumber(`${level}/cpu.cfs_quota_us`), readKernelNumber(`${level}/cpu.cfs_period_us`)];
  return quota !== undefined && period !== undefined && quota > 0 && period > 0 ? [quota / period] : [];
}

function readCpuset(level: string, isV2: boolean): readonly number[] {
  const cpus = countCpus(readKernelFile(`${level}/${isV2 ? "cpuset.cpus.effective" : "cpuset.cpus"}`));
  return cpus === undefined ? [] : [cpus];
}

/** Number of CPUs in a kernel list such as `0-3,8`; `undefined` for an empty or missing one. */
export function countCpus(list: string | undefined): number | undefined {
  const ranges = (list ?? "").trim().split(",").filter(Boolean);
  if (ranges.length === 0) return undefined;
  return ranges.reduce((sum, range) => {
    const [first = 0, last = first] = range.split("-").map(Number);
    return sum + last - first + 1;
  }, 0);
}

function machineMemoryBytes(procRoot: string): number {
  const total = /^MemTotal:\s+(\d+)/mu.exec(readKernelFile(`${procRoot}/meminfo`) ?? "")?.[1];
  return total === undefined ? Infinity : Number(total) * 1024;
}
