import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { describe, expect, test } from "vitest";
import { JournalReader } from "../../src/journal/journal-reader.ts";
import { JournalWriter } from "../../src/journal/journal-writer.ts";
import { listSegments, segmentPath } from "../../src/journal/segments.ts";
import {
  mountFreezableDisk,
  mountSmallDisk,
  oneTo,
  readAll,
  sequencesIn,
  stepEntry,
  temporaryFolder,
  until,
} from "./journal-rig.ts";

const killedProgram = join(import.meta.dirname, "programs/append-until-killed.ts");

describe("append", () => {
  test("is on the disk after the turn of the event loop, in order and private", async () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "journals/run");
    const writer = JournalWriter.open(path);
    for (const step of oneTo(1000)) expect(writer.append(stepEntry(step))).toBe(step);
    await until(() => writer.pendingBytes === 0);
    expect(sequencesIn(path)).toEqual(oneTo(1000));
    expect(statSync(segmentPath(path, 1)).mode & 0o777).toBe(0o600);
    expect(statSync(path).mode & 0o777).toBe(0o700);
    await writer.close();
    expect(() => writer.append(stepEntry(1))).toThrow("closed");
  });

  test("of a later session goes to a new segment and counts on, behind a torn tail too", async () => {
    using folder = temporaryFolder();
    const first = JournalWriter.open(folder.path);
    first.append(stepEntry(1));
    await first.close();
    writeFileSync(segmentPath(folder.path, 1), '{"s":2,"t":17', { flag: "a" });
    const second = JournalWriter.open(folder.path);
    expect(second.lastSequence).toBe(1);
    second.append(stepEntry(2));
    await second.close();
    expect(listSegments(folder.path)).toEqual([1, 2]);
    expect(sequencesIn(folder.path)).toEqual([1, 2]);
  });

  test("rolls to the next segment at whole lines", async () => {
    using folder = temporaryFolder();
    const writer = JournalWriter.open(folder.path, { segmentBytes: 1000 });
    for (const step of oneTo(100)) await writer.appendNow(stepEntry(step));
    await writer.close();
    expect(listSegments(folder.path).length).toBeGreaterThan(5);
    expect(sequencesIn(folder.path)).toEqual(oneTo(100));
    expect(statSync(segmentPath(folder.path, 1)).size).toBeLessThan(1200);
  });

  test("a session that says nothing leaves no file", async () => {
    using folder = temporaryFolder();
    const writer = JournalWriter.open(folder.path);
    await writer.flush();
    await writer.close();
    expect(readdirSync(folder.path)).toEqual([]);
  });

  test("a source that can wait is told to while much is pending", async () => {
    using folder = temporaryFolder();
    const writer = JournalWriter.open(folder.path);
    const value = "x".repeat(100_000);
    const operation = { op: "log-batch", runId: "r", tags: [{ key: "k", value }] } as const;
    while (writer.congestion === undefined) writer.append({ receivedAt: 1, attempt: 1, operation });
    await writer.congestion;
    expect(writer.congestion).toBeUndefined();
    await writer.close();
  });

  test("a crash handler can write out what is pending, whatever is under way", async () => {
    using folder = temporaryFolder();
    const writer = JournalWriter.open(folder.path);
    await writer.appendNow(stepEntry(1));
    for (const step of oneTo(5000)) writer.append(stepEntry(step + 1));
    writer.writeOutNow();
    expect(sequencesIn(folder.path)).toEqual(oneTo(5001));
    await writer.close();
    expect(sequencesIn(folder.path)).toEqual(oneTo(5001));
  });
});

test("kill -9 at any moment loses no acknowledged entry, keeps their order and doubles none", async () => {
  using folder = temporaryFolder();
  let known = 0;
  for (let round = 0; round < 20; round += 1) {
    const child = spawn(process.execPath, [killedProgram, folder.path, "200000"], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let output = "";
    child.stdout.on("data", (data: Buffer) => (output += data.toString()));
    await once(child.stdout, "data");
    setTimeout(() => child.kill("SIGKILL"), Math.random() * 60);
    await once(child, "close");
    const acknowledged = Number(output.slice(0, output.lastIndexOf("\n")).split("\n").at(-1));
    const sequences = sequencesIn(folder.path);
    expect(acknowledged).toBeGreaterThan(known);
    expect(sequences.length).toBeGreaterThanOrEqual(acknowledged);
    expect(sequences).toEqual(oneTo(sequences.length));
    known = sequences.length;
  }
}, 60_000);

test("a full disk: reads on into memory, tells, drops what is too much and counts it; with room again all kept is written", async (context) => {
  using folder = temporaryFolder();
  const disk = join(folder.path, "disk");
  using mount = mountSmallDisk(disk);
  if (mount === undefined) return context.skip("mounting a small tmpfs needs root");
  const told: string[] = [];
  const writer = JournalWriter.open(join(disk, "journal"), {
    memoryBytes: 2_000_000,
    stuckAfterMs: 600,
    retryMs: 10,
    onStuck: (error) => told.push(error.message),
    onRecovered: () => told.push("recovered"),
  });
  writeFileSync(join(disk, "ballast"), Buffer.alloc(900 * 1024));

  let appended = 0;
  while (writer.droppedEntries === 0) {
    if (writer.append(stepEntry(appended + 1)) !== undefined) appended += 1;
    if (appended % 100 === 0) await new Promise(setImmediate);
  }
  await until(() => writer.isStuck);
  expect(told).toEqual([expect.stringContaining("ENOSPC")]);
  await expect(writer.flush()).rejects.toThrow("ENOSPC");
  // What was on its way when the first entry was dropped may have found a last bit of room.
  const appendAll = (): void => {
    while (writer.append(stepEntry(appended + 1)) !== undefined) appended += 1;
  };
  for (appendAll(); (await writer.appendNow(stepEntry(appended + 1))) !== undefined; appendAll()) appended += 1;
  const onDisk = sequencesIn(join(disk, "journal"));
  expect(onDisk).toEqual(oneTo(onDisk.length));
  const inMemory = [...writer.unwritten(onDisk.length)].map(({ sequence }) => sequence);
  expect([...onDisk, ...inMemory]).toEqual(oneTo(appended));

  rmSync(join(disk, "ballast"));
  execFileSync("mount", ["-o", "remount,size=16m", disk]);
  await until(() => !writer.isStuck);
  await writer.flush();
  expect(told.at(-1)).toBe("recovered");
  await writer.close();
  expect(sequencesIn(join(disk, "journal"))).toEqual(oneTo(appended));
});

test("a disk that hangs in the middle of a write stops neither the event loop nor a flush; once it answers nothing is lost", async (context) => {
  using folder = temporaryFolder();
  using disk = mountFreezableDisk(folder.path);
  if (disk === undefined) return context.skip("a disk that can be frozen needs root, loop devices and mkfs.ext4");
  const path = join(folder.path, "disk/journal");
  const told: string[] = [];
  const writer = JournalWriter.open(path, { stuckAfterMs: 150, onStuck: (error) => told.push(error.message) });
  writer.append(stepEntry(1));
  await writer.flush();
  const lag = monitorEventLoopDelay({ resolution: 5 });
  disk.freeze();
  lag.enable();
  for (const step of oneTo(1000)) writer.append(stepEntry(step + 1));
  await expect(writer.flush()).rejects.toThrow("does not answer");
  expect(await writer.appendNow(stepEntry(1002))).toBe(1002);
  lag.disable();
  expect(told).toEqual([expect.stringContaining("does not answer")]);
  expect(lag.max / 1e6).toBeLessThan(140);

  disk.thaw();
  await until(() => !writer.isStuck);
  await writer.close();
  expect(sequencesIn(path)).toEqual(oneTo(1002));
});

test("a flush that waits is refused when the journal gets stuck, and what a store has taken is freed", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "run");
  const writer = JournalWriter.open(path, { stuckAfterMs: 60, retryMs: 10 });
  rmSync(path, { recursive: true });
  writeFileSync(path, "");
  for (const step of oneTo(10)) writer.append(stepEntry(step));
  const started = Date.now();
  await expect(writer.flush()).rejects.toThrow("ENOTDIR");
  expect(Date.now() - started).toBeLessThan(5000);
  expect(await writer.appendNow(stepEntry(11))).toBe(11);

  writer.release(8);
  rmSync(path);
  mkdirSync(path);
  chmodSync(path, 0o700);
  await until(() => !writer.isStuck);
  await writer.close();
  expect(sequencesIn(path)).toEqual([9, 10, 11]);
  expect(readAll(path)[0]?.operation).toEqual(stepEntry(9).operation);
});

test("closing a stuck journal rejects and ends its retries", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "run");
  const writer = JournalWriter.open(path, { stuckAfterMs: 30, retryMs: 10 });
  rmSync(path, { recursive: true });
  writer.append(stepEntry(1));
  await until(() => writer.isStuck);
  await expect(writer.close()).rejects.toThrow("ENOENT");
  // The attempt that was on its way has ended by then.
  await new Promise((resolve) => setTimeout(resolve, 50));
  mkdirSync(path);
  await new Promise((resolve) => setTimeout(resolve, 60));
  expect(readdirSync(path)).toEqual([]);
});

test("a file that takes no more is left for a new segment, which begins with the line that was cut", async () => {
  using folder = temporaryFolder();
  const program = join(import.meta.dirname, "programs/append-under-file-limit.ts");
  const command = `ulimit -f 100; exec "${process.execPath}" "${program}" "${folder.path}" 2000`;
  expect(execFileSync("sh", ["-c", command], { encoding: "utf8" })).toBe("flushed\n");
  const segments = listSegments(folder.path);
  expect(segments.length).toBeGreaterThan(3);
  const [first = ""] = segments.map((segment) => readFileSync(segmentPath(folder.path, segment), "utf8"));
  expect(first.endsWith("\n")).toBe(false);
  expect(sequencesIn(folder.path)).toEqual(oneTo(2000));
});

test("a reader beside a writer of another process misses nothing, over many segments", async () => {
  using folder = temporaryFolder();
  const child = spawn(process.execPath, [killedProgram, folder.path, "500"], { stdio: ["ignore", "pipe", "inherit"] });
  child.stdout.resume();
  using reader = new JournalReader(folder.path);
  let last = 0;
  try {
    while (last < 5000) {
      const next = reader.next();
      if (next === undefined) await new Promise(setImmediate);
      else expect(next.entry.sequence).toBe((last += 1));
    }
  } finally {
    child.kill("SIGKILL");
    await once(child, "close");
  }
  expect(listSegments(folder.path).length).toBeGreaterThan(30);
});

test("many flushes at once share their syncs and all come back", async () => {
  using folder = temporaryFolder();
  const writer = JournalWriter.open(folder.path, { segmentBytes: 2000 });
  const flushes = oneTo(200).map((step) => {
    writer.append(stepEntry(step));
    return writer.flush();
  });
  await Promise.all(flushes);
  await writer.close();
  expect(sequencesIn(folder.path)).toEqual(oneTo(200));
});
