import { expect, test } from "vitest";
import { lineLimitBytes, LineSplitter } from "../../src/intake/line-splitter.ts";

function split(chunks: readonly Buffer[]): { lines: unknown[]; consumed: number[] } {
  const splitter = new LineSplitter();
  const lines: unknown[] = [];
  const consumed: number[] = [];
  for (const chunk of chunks) {
    splitter.push(chunk);
    for (let line = splitter.next(); line !== undefined; line = splitter.next()) {
      lines.push(line);
      consumed.push(splitter.consumedBytes);
    }
  }
  const last = splitter.finish();
  if (last !== undefined) lines.push(last);
  consumed.push(splitter.consumedBytes);
  return { lines, consumed };
}

const inChunksOf = (bytes: Buffer, size: number): Buffer[] =>
  Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
    bytes.subarray(index * size, (index + 1) * size),
  );

const tooLong = { fault: "too-long" };

test.each([1, 2, 3, 5, 7, 64, 1000])("the same lines, whatever the chunks: %i bytes", (size) => {
  const bytes = Buffer.from('a\n\n{"é":1}\nb\r\n日本語 😀\nlast');
  const { lines, consumed } = split(inChunksOf(bytes, size));
  expect(lines).toEqual(["a", "", '{"é":1}', "b\r", "日本語 😀", "last"]);
  expect(consumed).toEqual([2, 3, 12, 15, 30, 34]);
});

test("a line of exactly the limit is taken, one byte more is skipped to its newline", () => {
  for (const size of [1000, 65_536, 3 * lineLimitBytes]) {
    const bytes = Buffer.from(`${"x".repeat(lineLimitBytes)}\n${"y".repeat(lineLimitBytes + 1)}\nafter\n`);
    const { lines, consumed } = split(inChunksOf(bytes, size));
    expect(lines).toEqual(["x".repeat(lineLimitBytes), tooLong, "after"]);
    expect(consumed.at(-1)).toBe(bytes.length);
  }
});

test("a line that never ends is reported once and not kept", () => {
  const splitter = new LineSplitter();
  const lines: unknown[] = [];
  for (let count = 0; count < 200; count += 1) {
    splitter.push(Buffer.alloc(65_536, "z"));
    for (let line = splitter.next(); line !== undefined; line = splitter.next()) lines.push(line);
  }
  expect(lines).toEqual([tooLong]);
  expect(splitter.finish()).toBeUndefined();
  expect(splitter.isWithinLine).toBe(true);
});

test("bytes that are no UTF-8 spoil their own line only", () => {
  const bytes = Buffer.concat([
    Buffer.from("before\n"),
    Buffer.from([0xff, 0xfe, 10]),
    Buffer.from("é\n"),
    Buffer.from([0xc3]),
  ]);
  expect(split([bytes]).lines).toEqual(["before", { fault: "no-utf8" }, "é", { fault: "no-utf8" }]);
});
