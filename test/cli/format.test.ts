import { expect, test } from "vitest";
import { formatBytes, formatNumber } from "../../src/cli/format-number.ts";
import { formatSparkline } from "../../src/cli/format-sparkline.ts";
import { formatDuration, formatIsoTime, formatRelativeTime } from "../../src/cli/format-time.ts";

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

test.each([
  [0, "0 s ago"],
  [59_999, "59 s ago"],
  [minute, "1 min ago"],
  [hour - 1, "59 min ago"],
  [hour, "1 h ago"],
  [day, "1 d ago"],
  [30 * day - 1, "29 d ago"],
])("%d ms ago is %s", (age, expected) => {
  expect(formatRelativeTime(Date.UTC(2026, 0, 1) - age, Date.UTC(2026, 0, 1))).toBe(expected);
});

test("an old time and one in the future are dates", () => {
  const now = Date.UTC(2026, 5, 15, 12);
  expect(formatRelativeTime(now - 31 * day, now)).toBe("2026-05-15");
  expect(formatRelativeTime(now + day, now)).toBe("2026-06-16");
});

test.each([
  [-5, "0.0 s"],
  [0, "0.0 s"],
  [420, "0.4 s"],
  [59_940, "59.9 s"],
  [59_960, "1m00s"],
  [200_000, "3m20s"],
  [hour - 1, "1h00m"],
  [hour + 2 * minute, "1h02m"],
  [2 * day + 3 * hour, "2d03h"],
])("%d ms lasted %s", (ms, expected) => {
  expect(formatDuration(ms)).toBe(expected);
});

test.each([
  [0, "0"],
  [42, "42"],
  [0.1 + 0.2, "0.3"],
  [0.000012345678, "0.0000123457"],
  [1.5e-9, "1.5e-9"],
  [123456.789, "123457"],
  [1e20, "100000000000000000000"],
  [Number.NaN, "NaN"],
  [-Infinity, "-Infinity"],
])("the metric value %d is shown as %s", (value, expected) => {
  expect(formatNumber(value)).toBe(expected);
});

test.each([
  [0, "0 B"],
  [999, "999 B"],
  [1500, "1.5 kB"],
  [999_999, "1.0 MB"],
  [2_000_000_000, "2.0 GB"],
])("%d bytes are %s", (bytes, expected) => {
  expect(formatBytes(bytes)).toBe(expected);
});

test.each([
  [[], ""],
  [[1], ""],
  [[2, 2, 2], "▅▅▅"],
  [[0, 1, 2, 3, 4, 5, 6, 7], "▁▂▃▄▅▆▇█"],
  [[0, Number.NaN, 1], "▁ █"],
  [[Infinity, 0, 1], " ▁█"],
  [[Number.NaN], ""],
  [[Number.NaN, Number.NaN], "  "],
])("the values %j are drawn as %j", (values, expected) => {
  expect(formatSparkline(values)).toBe(expected);
});

test("an impossible time is no crash", () => {
  expect(formatIsoTime(Number.NaN)).toBe("");
  expect(formatIsoTime(1e20)).toBe("");
});
