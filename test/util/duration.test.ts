import { expect, test } from "vitest";
import { parseDuration } from "../../src/util/duration.ts";

test.each([
  ["90", 90_000],
  ["0.5", 500],
  ["90s", 90_000],
  ["5m", 300_000],
  ["1h30m", 5_400_000],
  ["2d", 172_800_000],
  ["500ms", 500],
  ["1d2h3m4s5ms", 93_784_005],
  ["1.5h", 5_400_000],
  ["0", 0],
])("%s is %d ms", (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});

test.each(["", "s", "-1", "+1", "1x", "1m1h", "1 m", " 1", "1e3", "ms", "1s1s", ".5", "Infinity", "9".repeat(30)])(
  "%j is no duration",
  (text) => {
    expect(parseDuration(text)).toBeUndefined();
  },
);
