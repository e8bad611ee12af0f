import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, rmSync } from "node:fs";
import { afterEach, expect, test } from "vitest";
import { readPageBytes, readProcessIo, readProcessStat } from "../../src/system-metrics/process-stat.ts";
import { ProcessTreeSource } from "../../src/system-metrics/process-tree-source.ts";
import { isAlive, makeFolder, until, writeTree } from "./helpers.ts";

const runId = "0123456789abcdef0123456789abcdef";
const started: ChildProcess[] = [];
const orphans: number[] = [];

afterEach(() => {
  for (const child of started.splice(0)) child.kill("SIGKILL");
  for (const pid of orphans.splice(0)) if (isAlive(pid)) process.kill(pid, "SIGKILL");
});

/** A shell whose script reads stdin when it shall go on; `said()` is what it has printed. */
function startShell(script: string, env: Readonly<Record<string, string>> = {}) {
  const path = { PATH: "/usr/local/bin:/usr/bin:/bin" };
  const child = spawn("sh", ["-c", script], { stdio: ["pipe", "pipe", "inherit"], env: { ...path, ...env } });
  started.push(child);
  let said = "";
  child.stdout.on("data", (data: Buffer) => (said += data.toString()));
  const pid = child.pid ?? 0;
  const childCount = (): number => readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").length - 1;
  return { pid, childCount, said: () => said, goOn: () => child.stdin.write("\n"), ended: once(child, "exit") };
}

const watch = (pid: number, more: { ownPids?: number[]; runId?: string; procRoot?: string } = {}): ProcessTreeSource =>
  new ProcessTreeSource({ procRoot: "/proc", hasProc: true, rootPid: () => pid, ownPids: [], ...more }, 0);

const sample = (source: ProcessTreeSource, atMs: number): Record<string, number> =>
  Object.fromEntries(source.sample(atMs));

test("CPU, bytes and memory of the whole tree, of its ended processes too", async () => {
  using folder = makeFolder();
  const busy = `${process.execPath} -e 'while (process.cpuUsage().user < 200000);'`;
  const shell = startShell(
    `${busy} & ${busy} & dd if=/dev/zero of=${folder.path}/file bs=1M count=3 2>/dev/null; wait; echo done; read line`,
  );
  const source = watch(shell.pid);
  let busiest = 0;
  await until("their end", () => {
    source.peek(500);
    busiest = Math.max(busiest, shell.childCount());
    return shell.said().includes("done");
  });
  expect(busiest).toBeGreaterThanOrEqual(2);
  const values = sample(source, 1000);
  // All work is in the shell's own numbers now, by the kernel's accounts; of a second, so that a tick is a percent.
  const stat = readProcessStat("/proc", shell.pid)!;
  expect(stat.ownTicks + stat.childTicks).toBeGreaterThan(40);
  expect(values).toMatchObject({
    process_cpu_utilization_percentage: stat.ownTicks + stat.childTicks,
    process_count: 1,
    process_threads: 1,
  });
  expect(values["process_memory_rss_megabytes"]).toBeCloseTo((stat.rssPages * readPageBytes("/proc")) / 1e6, 1);
  const io = readProcessIo("/proc", shell.pid)!;
  expect(values["process_write_megabytes"]).toBeCloseTo(io.writeBytes / 1e6, 6);
  expect(values["process_read_megabytes"]).toBeCloseTo(io.readBytes / 1e6, 6);
});

test("a process that was seen in the tree stays in it when its parent ends", async () => {
  const shell = startShell(`sh -c 'sleep 60 & echo $!; read line'; echo gone; read line`);
  const source = watch(shell.pid);
  const orphan = await until("the grandchild", () => Number.parseInt(shell.said(), 10) || false);
  orphans.push(orphan);
  expect(sample(source, 100)["process_count"]).toBe(3);
  shell.goOn();
  await until("the parent's end", () => shell.said().includes("gone"));
  expect(readProcessStat("/proc", orphan)?.parentPid).not.toBe(shell.pid);
  expect(sample(source, 200)["process_count"]).toBe(2);
  expect(source.has(orphan)).toBe(true);
});

test("an orphan that was never seen in the tree is found by the run id it carries", async () => {
  const shell = startShell(`(sleep 60 >/dev/null & echo $!); read line`, { TRACK_RUN_ID: runId });
  const orphan = await until("the orphan", () => Number.parseInt(shell.said(), 10) || false);
  orphans.push(orphan);
  await until("its parent's end", () => readProcessStat("/proc", orphan)?.parentPid !== shell.pid);
  const source = watch(shell.pid, { runId });
  await until("its exec", () => {
    const isSleep = readFileSync(`/proc/${orphan}/comm`, "utf8") === "sleep\n";
    return isSleep && readFileSync(`/proc/${orphan}/environ`, "utf8").includes(runId);
  });
  expect(sample(source, 100)["process_count"]).toBe(2);
  expect(sample(watch(shell.pid, { runId: runId.replace("0", "f") }), 100)["process_count"]).toBe(1);
  expect(sample(watch(shell.pid), 100)["process_count"]).toBe(1);
});

test("our own processes and what they start are not the command's", async () => {
  const shell = startShell(`sh -c 'echo $$; sleep 60 & read line'; read line`, { TRACK_RUN_ID: runId });
  const own = await until("the inner shell", () => Number.parseInt(shell.said(), 10) || false);
  await until("its child", () => sample(watch(shell.pid), 0)["process_count"] === 3);
  const inner = await until("sleep", () => readFileSync(`/proc/${own}/task/${own}/children`, "utf8").trim());
  orphans.push(Number(inner));
  expect(sample(watch(shell.pid, { ownPids: [own], runId }), 100)["process_count"]).toBe(1);
});

test("a command that is over before the first sample is told by what was seen of it, once", async () => {
  const shell = startShell("echo up; read line");
  const source = watch(shell.pid);
  await until("its start", () => shell.said() !== "");
  source.peek(10);
  shell.goOn();
  await shell.ended;
  const values = sample(source, 20);
  expect(values).toMatchObject({ process_count: 1, process_threads: 1 });
  expect(values["process_memory_rss_megabytes"]).toBeGreaterThan(0.2);
  expect(source.sample(1000)).toEqual([]);
});

test("no values before the command is known", () => {
  let pid: number | undefined;
  const source = new ProcessTreeSource({ procRoot: "/proc", hasProc: true, rootPid: () => pid, ownPids: [] }, 0);
  expect(source.sample(1000)).toEqual([]);
  pid = process.pid;
  expect(new Map(source.sample(2000)).get("process_count")).toBeGreaterThanOrEqual(1);
});

interface Fake {
  readonly parent: number;
  readonly ticks?: number;
  readonly childTicks?: number;
  readonly start?: number;
  readonly state?: string;
  readonly threads?: number;
  readonly rss?: number;
}

const writeProcess = (root: string, pid: number, fake: Fake): void =>
  writeTree(root, {
    uptime: "1000.00 1.00\n",
    [`${pid}/stat`]: `${pid} (a (b) c) ${fake.state ?? "S"} ${fake.parent} 0 0 0 0 0 0 0 0 0 ${fake.ticks ?? 0} 0 ${fake.childTicks ?? 0} 0 20 0 ${fake.threads ?? 1} 0 ${fake.start ?? 100_000} 0 ${fake.rss ?? 0} 0\n`,
  });

test("what a process had done long before the run is not counted", () => {
  using folder = makeFolder();
  writeProcess(folder.path, 50, { parent: 1, ticks: 5000, childTicks: 700, start: 10 });
  const source = watch(50, { procRoot: folder.path });
  expect(sample(source, 1000)["process_cpu_utilization_percentage"]).toBe(0);
  writeProcess(folder.path, 50, { parent: 1, ticks: 5100, childTicks: 750, start: 10 });
  expect(sample(source, 2000)["process_cpu_utilization_percentage"]).toBe(150);
});

test("a chain that ended since the last look was waited for by the nearest survivor; zombies are not counted", () => {
  using folder = makeFolder();
  writeProcess(folder.path, 50, { parent: 1, ticks: 10 });
  writeProcess(folder.path, 60, { parent: 50, ticks: 20 });
  writeProcess(folder.path, 61, { parent: 60, ticks: 40, threads: 3, rss: 1000 });
  writeProcess(folder.path, 62, { parent: 50, state: "Z", ticks: 5 });
  const source = watch(50, { procRoot: folder.path });
  expect(sample(source, 1000)).toEqual({
    process_cpu_utilization_percentage: 75,
    process_memory_rss_megabytes: 4.1,
    process_count: 3,
    process_threads: 5,
  });
  for (const pid of [60, 61, 62]) rmSync(`${folder.path}/${pid}`, { recursive: true });
  writeProcess(folder.path, 50, { parent: 1, ticks: 11, childTicks: 20 + 40 + 5 + 9 });
  expect(sample(source, 2000)["process_cpu_utilization_percentage"]).toBe(10);
});

test("a pid that is used again is another process", () => {
  using folder = makeFolder();
  writeProcess(folder.path, 50, { parent: 1 });
  writeProcess(folder.path, 60, { parent: 50, start: 100_010 });
  const source = watch(50, { procRoot: folder.path });
  expect(sample(source, 1000)["process_count"]).toBe(2);
  writeProcess(folder.path, 60, { parent: 2, start: 100_020 });
  expect(sample(source, 2000)["process_count"]).toBe(1);
  writeProcess(folder.path, 50, { parent: 2, start: 100_030 });
  expect(source.sample(3000)).toEqual([]);
});

test("a foreign pid that now is a descendant is noticed within a few looks", () => {
  using folder = makeFolder();
  writeProcess(folder.path, 50, { parent: 1 });
  for (let pid = 80; pid < 120; pid += 1) writeProcess(folder.path, pid, { parent: 1 });
  const source = watch(50, { procRoot: folder.path });
  source.sample(0);
  writeProcess(folder.path, 113, { parent: 50, start: 100_050 });
  let looks = 0;
  while (!source.has(113) && looks < 10) source.sample((looks += 1) * 1000);
  expect(looks).toBeLessThanOrEqual(6);
});

test("a process that is seen in the middle of its exec, without an environment, is looked at once more", () => {
  using folder = makeFolder();
  writeProcess(folder.path, 50, { parent: 1 });
  writeProcess(folder.path, 60, { parent: 1 });
  writeTree(folder.path, { "60/environ": "" });
  const source = watch(50, { procRoot: folder.path, runId });
  expect(sample(source, 1000)["process_count"]).toBe(1);
  writeTree(folder.path, { "60/environ": `A=b\0TRACK_RUN_ID=${runId}\0` });
  expect(sample(source, 2000)["process_count"]).toBe(2);
});

test("a crowd of new processes delays the look at an orphan, and does not prevent it", () => {
  using folder = makeFolder();
  writeProcess(folder.path, 50, { parent: 1 });
  for (let pid = 900; pid < 1100; pid += 1) writeProcess(folder.path, pid, { parent: 1 });
  writeTree(folder.path, { "1099/environ": `TRACK_RUN_ID=${runId}\0` });
  const source = watch(50, { procRoot: folder.path, runId });
  let looks = 0;
  while (!source.has(1099) && looks < 10) source.sample((looks += 1) * 1000);
  expect(looks).toBeLessThanOrEqual(8);
});

test("/proc is listed again when a pid has been given out, and from time to time", () => {
  using folder = makeFolder();
  const setLatestPid = (pid: number): void => writeTree(folder.path, { loadavg: `0.00 0.00 0.00 1/50 ${pid}\n` });
  setLatestPid(60);
  writeProcess(folder.path, 50, { parent: 1 });
  const source = watch(50, { procRoot: folder.path });
  const count = (): number | undefined => sample(source, 1000)["process_count"];
  expect(count()).toBe(1);
  writeProcess(folder.path, 61, { parent: 50 });
  expect(count()).toBe(1);
  setLatestPid(61);
  expect(count()).toBe(2);
  writeProcess(folder.path, 62, { parent: 50 });
  const counts = Array.from({ length: 10 }, count);
  expect([counts[0], counts.at(-1)]).toEqual([2, 3]);
});
