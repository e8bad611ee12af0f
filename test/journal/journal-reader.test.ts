import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { JournalReader, readEntries, readLastSequence } from "../../src/journal/journal-reader.ts";
import { JournalWriter } from "../../src/journal/journal-writer.ts";
import { segmentPath } from "../../src/journal/segments.ts";
import { encodeEntry } from "../../src/wire/journal-entry-codec.ts";
import { batchEntry, oneTo, readAll, sequencesIn, stepEntry, temporaryFolder } from "./journal-rig.ts";

function lineOf(sequence: number): string {
  return `${encodeEntry({ sequence, ...stepEntry(sequence) })}\n`;
}

test("a torn tail ends its segment and nothing else", () => {
  using folder = temporaryFolder();
  const whole = lineOf(1) + lineOf(2);
  writeFileSync(segmentPath(folder.path, 1), whole + lineOf(3).slice(0, -9));
  expect(sequencesIn(folder.path)).toEqual([1, 2]);
  expect(readLastSequence(folder.path)).toBe(2);

  writeFileSync(segmentPath(folder.path, 2), lineOf(3) + lineOf(4));
  expect(sequencesIn(folder.path)).toEqual([1, 2, 3, 4]);
  expect(readLastSequence(folder.path)).toBe(4);
});

test("a line that lacks only its newline was never acknowledged and is not read", () => {
  using folder = temporaryFolder();
  writeFileSync(segmentPath(folder.path, 1), lineOf(1) + lineOf(2).trimEnd());
  expect(sequencesIn(folder.path)).toEqual([1]);
});

test("a damaged line costs itself alone, and is told", () => {
  using folder = temporaryFolder();
  writeFileSync(segmentPath(folder.path, 1), `${lineOf(1)}${"\0".repeat(40)}\n${lineOf(3)}`);
  const damaged: number[] = [];
  using reader = new JournalReader(folder.path, { onDamaged: ({ offset }) => damaged.push(offset) });
  expect([reader.next()?.entry.sequence, reader.next()?.entry.sequence, reader.next()]).toEqual([1, 3, undefined]);
  expect(damaged).toEqual([lineOf(1).length + 41]);
});

test("reading goes on from every position, over segments", () => {
  using folder = temporaryFolder();
  writeFileSync(segmentPath(folder.path, 1), lineOf(1) + lineOf(2));
  writeFileSync(segmentPath(folder.path, 3), lineOf(3));
  const positions = readEntries(folder.path).toArray();
  for (const [index, { position }] of positions.entries()) {
    const rest = readEntries(folder.path, position).map(({ entry }) => entry.sequence);
    expect([...rest]).toEqual([1, 2, 3].slice(index + 1));
  }
});

test("a reader at the end sees what is appended later, also a line in pieces and a new segment", () => {
  using folder = temporaryFolder();
  using reader = new JournalReader(folder.path);
  expect(reader.next()).toBeUndefined();
  appendFileSync(segmentPath(folder.path, 1), lineOf(1) + lineOf(2).slice(0, 30));
  expect(reader.next()?.entry.sequence).toBe(1);
  expect(reader.next()).toBeUndefined();
  appendFileSync(segmentPath(folder.path, 1), lineOf(2).slice(30));
  expect(reader.next()?.entry.sequence).toBe(2);
  appendFileSync(segmentPath(folder.path, 1), lineOf(3));
  writeFileSync(segmentPath(folder.path, 2), lineOf(4));
  expect([reader.next()?.entry.sequence, reader.next()?.entry.sequence]).toEqual([3, 4]);
  expect(reader.next()).toBeUndefined();
});

test("lines longer than the read buffer are read, and found by the search for the last sequence", async () => {
  using folder = temporaryFolder();
  const writer = JournalWriter.open(folder.path);
  const value = "ü".repeat(700_000);
  writer.append({ receivedAt: 1, attempt: 1, operation: { op: "log-batch", runId: "r", tags: [{ key: "k", value }] } });
  writer.append(stepEntry(2));
  await writer.close();
  appendFileSync(segmentPath(folder.path, 1), "x".repeat(2_000_000));
  expect(readAll(folder.path)[0]?.operation).toHaveProperty("tags", [{ key: "k", value }]);
  expect(sequencesIn(folder.path)).toEqual([1, 2]);
  expect(readLastSequence(folder.path)).toBe(2);
});

test("memory stays flat over a journal far larger than the buffer", async () => {
  using folder = temporaryFolder();
  const writer = JournalWriter.open(folder.path, { segmentBytes: 4_000_000 });
  const metrics = Array.from(
    { length: 500 },
    (_, step) => [`metric_${step % 9}`, step / 7, 1_790_000_000_000, step] as const,
  );
  for (let count = 0; count < 1200; count += 1) writer.append(batchEntry(metrics));
  await writer.close();
  expect(readFileSync(segmentPath(folder.path, 3)).length).toBeGreaterThan(4_000_000);
  const before = process.memoryUsage().rss;
  let count = 0;
  let peak = 0;
  for (const { entry } of readEntries(folder.path)) {
    expect(entry.sequence).toBe((count += 1));
    if (count % 50 === 0) peak = Math.max(peak, process.memoryUsage().rss - before);
  }
  expect(count).toBe(oneTo(1200).length);
  expect(peak).toBeLessThan(100 * 2 ** 20);
});
