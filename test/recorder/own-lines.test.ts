import { appendFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { OwnLineFilter } from "../../src/recorder/own-lines.ts";

let folder: string;
let filter: OwnLineFilter;
const note = (...lines: readonly string[]): void => {
  for (const line of lines) appendFileSync(join(folder, "own-lines"), `${JSON.stringify(line)}\n`);
  filter.refresh();
};
const push = (text: string): string => filter.push(Buffer.from(text)).toString();

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "own-lines-"));
  filter = new OwnLineFilter(join(folder, "own-lines"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("a noted line is taken out once, wherever it stands, and nothing else", () => {
  note("track: é done\n");
  expect(push("one\nhalf a track: é done\nline\ntrack: é done\n")).toBe("one\nhalf a line\ntrack: é done\n");
});

test("however it is cut", () => {
  const text = "a\ntrack: x\nb\ntrack: y\nc";
  for (let cut = 1; cut < text.length; cut += 1) {
    rmSync(join(folder, "own-lines"), { force: true });
    filter = new OwnLineFilter(join(folder, "own-lines"));
    note("track: x\n", "track: y\n");
    const parts = [push(text.slice(0, cut)), push(text.slice(cut)), filter.end().toString()];
    expect(parts.join("")).toBe("a\nb\nc");
  }
});

test("what only begins like one is held back until it is decided, or all is over", () => {
  note("track: x\n");
  expect(push("a\ntrack: ")).toBe("a\n");
  expect(push("other\ntra")).toBe("track: other\n");
  expect(filter.end().toString()).toBe("tra");
});

test("lines may be noted on the way, one of them without ever being said", () => {
  expect(push("track: x\n")).toBe("track: x\n");
  note("track: never\n");
  note("track: x\n");
  expect(push("track: x\nb\n")).toBe("b\n");
});
