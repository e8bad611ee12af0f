import { describe, expect, test } from "vitest";
import type { JournalEntry, StoreOperation } from "../../src/entities/journal-entry.ts";
import { decodeEntry, encodeEntry } from "../../src/wire/journal-entry-codec.ts";

const runId = "0123456789abcdef0123456789abcdef";

function entryOf(operation: StoreOperation): JournalEntry {
  return { sequence: 7, receivedAt: 1_790_000_000_000, attempt: 2, operation };
}

function roundTrip(entry: JournalEntry): JournalEntry | undefined {
  const line = encodeEntry(entry);
  expect(line).not.toContain("\n");
  return decodeEntry(line);
}

describe("a journal line", () => {
  test("brings a batch back as it was, newlines, quotes and half surrogates included", () => {
    const entry = entryOf({
      op: "log-batch",
      runId,
      metrics: [
        ["loss", 0.1, 1_790_000_000_000, 3],
        ["größe \u2028 \ud83d\ude00", -1e-300, -5, -9_007_199_254_740_991],
      ],
      params: [{ key: "lr", value: 'a "quoted"\nline' }],
      tags: [{ key: "half", value: "\ud800" }],
    });
    expect(roundTrip(entry)).toEqual(entry);
  });

  test("brings back what a point is about, with any value, and what is to be remembered", () => {
    const about = { modelId: "m-1", datasetName: "d", datasetDigest: "9" };
    const metrics = [["loss", "NaN", 1, 2, about] as const, ["acc", 1, 1, 2, { modelId: "m-1" }] as const];
    const entry = { ...entryOf({ op: "log-batch", runId, metrics }), memo: { scriptStatus: "FAILED", isTaken: true } };
    expect(roundTrip(entry as JournalEntry)).toEqual(entry);
    const spelled = entryOf({ op: "log-batch", runId, metrics: [["loss", Number.NaN, 1, 2, about]] });
    expect(roundTrip(spelled)?.operation).toMatchObject({ metrics: [["loss", "NaN", 1, 2, about]] });
  });

  test("says how far the sources are taken in", () => {
    const entry = entryOf({ op: "log-batch", runId });
    for (const takenIn of [{ logOffset: 5 }, { scraped: [[3, 99] as const, [0, 0] as const] }]) {
      expect(roundTrip({ ...entry, ...takenIn })).toEqual({ ...entry, ...takenIn });
    }
  });

  test("keeps the parts apart that are absent from those that are empty", () => {
    const absent = entryOf({ op: "log-batch", runId });
    const empty = entryOf({ op: "log-batch", runId, metrics: [], params: [], tags: [] });
    expect(roundTrip(absent)).toEqual(absent);
    expect(roundTrip(empty)).toEqual(empty);
  });

  test("says NaN and the infinities as words, given as numbers or as words", () => {
    const read = roundTrip(
      entryOf({
        op: "log-batch",
        runId,
        metrics: [
          ["a", Number.NaN, 1, 0],
          ["b", -Infinity, 1, 0],
          ["c", "Infinity", 1, 0],
          ["d", 1, 1, 0],
        ],
      }),
    );
    expect(read?.operation).toHaveProperty("metrics", [
      ["a", "NaN", 1, 0],
      ["b", "-Infinity", 1, 0],
      ["c", "Infinity", 1, 0],
      ["d", 1, 1, 0],
    ]);
  });

  test.each<StoreOperation>([
    { op: "update-run", runId, status: "FINISHED", endTime: null },
    { op: "log-artifact", runId, spoolPath: "spool/a", artifactFile: "out/model.bin" },
    { op: "log-outputs", runId, models: [{ modelId: "m-1", step: 0 }] },
    { op: "delete-experiment", experimentId: "3" },
  ])("brings $op back as it was", (operation) => {
    const entry = { ...entryOf(operation), logOffset: 0 };
    expect(roundTrip(entry)).toEqual(entry);
  });

  test.each(["", "{", "null", "[]", "{}", '{"s":1,"t":2,"a":1}', '{"s":"1","t":2,"a":1,"r":"x"}', "\0\0\0"])(
    "is no entry: %j",
    (text) => {
      expect(decodeEntry(text)).toBeUndefined();
    },
  );

  test("cut anywhere is no entry", () => {
    const line = encodeEntry(entryOf({ op: "log-batch", runId, metrics: [["loss", 0.25, 1, 1]] }));
    for (let length = 0; length < line.length; length += 1) expect(decodeEntry(line.slice(0, length))).toBeUndefined();
  });
});
