import { expect, test } from "vitest";
import { parseSize } from "../../src/util/size.ts";

test.each([
  ["0", 0],
  ["1000", 1000],
  ["10B", 10],
  ["1kB", 1000],
  ["500MB", 500_000_000],
  ["1GB", 1_000_000_000],
  ["1.5 GB", 1_500_000_000],
  ["64MiB", 67_108_864],
  ["2gib", 2_147_483_648],
  ["3M", 3_000_000],
  ["1T", 1_000_000_000_000],
])("%s is %d bytes", (text, bytes) => {
  expect(parseSize(text)).toBe(bytes);
});

test.each(["", "GB", "-1", "1XB", "1iB", "1e3", "1GBs", "1 0", "9".repeat(30)])("%j is no size", (text) => {
  expect(parseSize(text)).toBeUndefined();
});
