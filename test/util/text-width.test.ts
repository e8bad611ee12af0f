import { expect, test } from "vitest";
import { cutToWidth, textWidth } from "../../src/util/text-width.ts";

test.each([
  ["", 0],
  ["loss", 4],
  ["größe", 5],
  ["日本語", 6],
  ["한국어", 6],
  ["ｆｕｌｌ", 8],
  ["e\u0301", 1],
  ["👍", 2],
  ["👩‍👩‍👧‍👦", 2],
  ["🇩🇪", 2],
  ["❤️", 2],
  ["▁▂█", 3],
  ["a…", 2],
  ["\u200b", 0],
])("%j takes %d cells", (text, cells) => {
  expect(textWidth(text)).toBe(cells);
});

test.each([
  ["short", 10, "short"],
  ["exactly", 7, "exactly"],
  ["too long", 5, "too …"],
  ["日本語", 6, "日本語"],
  ["日本語", 5, "日本…"],
  ["日本語", 4, "日…"],
  ["e\u0301e\u0301e\u0301", 2, "e\u0301…"],
  ["👩‍👩‍👧‍👦👩‍👩‍👧‍👦", 3, "👩‍👩‍👧‍👦…"],
  ["abc", 1, "…"],
  ["abc", 0, ""],
])("%j cut to %d cells is %j", (text, cells, expected) => {
  expect(cutToWidth(text, cells)).toBe(expected);
  expect(textWidth(cutToWidth(text, cells))).toBeLessThanOrEqual(cells);
});
