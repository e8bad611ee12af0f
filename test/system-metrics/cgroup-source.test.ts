import { expect, test } from "vitest";
import { CgroupSource, countCpus } from "../../src/system-metrics/cgroup-source.ts";
import { makeFolder, writeTree } from "./helpers.ts";

const machine = { "proc/meminfo": "MemTotal: 64000000 kB\n", "sys/devices/system/cpu/online": "0-15\n" };

function sample(files: Readonly<Record<string, string>>, pid = 77): Record<string, number> {
  using folder = makeFolder();
  writeTree(folder.path, { ...machine, ...files });
  const source = new CgroupSource({
    procRoot: `${folder.path}/proc`,
    sysRoot: `${folder.path}/sys`,
    rootPid: () => pid,
  });
  return Object.fromEntries(source.sample(0));
}

test("v2: the tightest limit on the way up, and the usage there", () => {
  const values = sample({
    "proc/77/cgroup": "0::/slurm/job_9/step_0\n",
    "sys/fs/cgroup/cgroup.controllers": "cpuset cpu memory\n",
    "sys/fs/cgroup/slurm/job_9/step_0/memory.max": "max\n",
    "sys/fs/cgroup/slurm/job_9/step_0/memory.current": "1000\n",
    "sys/fs/cgroup/slurm/job_9/step_0/cpu.max": "max 100000\n",
    "sys/fs/cgroup/slurm/job_9/memory.max": "8000000000\n",
    "sys/fs/cgroup/slurm/job_9/memory.current": "2500000000\n",
    "sys/fs/cgroup/slurm/job_9/cpu.max": "250000 100000\n",
    "sys/fs/cgroup/slurm/job_9/cpuset.cpus.effective": "0-3\n",
  });
  expect(values).toEqual({
    cgroup_memory_usage_megabytes: 2500,
    cgroup_memory_limit_megabytes: 8000,
    cgroup_cpu_limit_cores: 2.5,
  });
});

test("v1 in a container: the path is the host's, the mount point is the container's own", () => {
  const values = sample({
    "proc/77/cgroup": "5:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n3:cpuset:/docker/abc\n1:name=systemd:/x\n",
    "sys/fs/cgroup/memory/memory.limit_in_bytes": "4000000000\n",
    "sys/fs/cgroup/memory/memory.usage_in_bytes": "1500000000\n",
    "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
    "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
    "sys/fs/cgroup/cpuset/cpuset.cpus": "2,4-6\n",
  });
  expect(values).toEqual({
    cgroup_memory_usage_megabytes: 1500,
    cgroup_memory_limit_megabytes: 4000,
    cgroup_cpu_limit_cores: 4,
  });
});

test("without a limit there are no values", () => {
  expect(
    sample({
      "proc/77/cgroup": "4:memory:/\n1:cpu:/\n2:cpuset:/\n0::/\n",
      "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
      "sys/fs/cgroup/memory/memory.usage_in_bytes": "1500000000\n",
      "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
      "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
      "sys/fs/cgroup/cpuset/cpuset.cpus": "0-15\n",
    }),
  ).toEqual({});
});

test("the command's cgroup counts as soon as it is known, and its limits stay when it is gone", () => {
  using folder = makeFolder();
  writeTree(folder.path, {
    ...machine,
    "proc/self/cgroup": "0::/\n",
    "proc/77/cgroup": "0::/job\n",
    "sys/fs/cgroup/cgroup.controllers": "memory\n",
    "sys/fs/cgroup/job/memory.max": "1000000\n",
  });
  let pid: number | undefined;
  const options = { procRoot: `${folder.path}/proc`, sysRoot: `${folder.path}/sys`, rootPid: () => pid };
  const source = new CgroupSource(options);
  expect(source.sample(0)).toEqual([]);
  pid = 77;
  expect(source.sample(1)).toEqual([["cgroup_memory_limit_megabytes", 1]]);
  pid = 78;
  expect(source.sample(100_000)).toEqual([["cgroup_memory_limit_megabytes", 1]]);
});

test("kernel lists of CPUs", () => {
  expect(countCpus("0-3,8,10-11\n")).toBe(7);
  expect(countCpus("5\n")).toBe(1);
  expect(countCpus("\n")).toBeUndefined();
  expect(countCpus(undefined)).toBeUndefined();
});
