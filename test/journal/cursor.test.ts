import { statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readCursor, writeCursor } from "../../src/journal/cursor.ts";
import { temporaryFolder } from "./journal-rig.ts";

test("a cursor is read as it was written, and replaces the one before", () => {
  using folder = temporaryFolder();
  expect(readCursor(folder.path)).toBeUndefined();
  writeCursor(folder.path, { position: { segment: 1, offset: 10 }, sequence: 1 });
  const second = { position: { segment: 2, offset: 0 }, sequence: 5, revision: "6953534de441" };
  writeCursor(folder.path, second);
  expect(readCursor(folder.path)).toEqual(second);
  expect(statSync(join(folder.path, "cursor.json")).mode & 0o777).toBe(0o600);
});

test.each(["", "{", "null", '{"position":{"segment":1},"sequence":1}'])(
  "what is no cursor counts as none: %j",
  (text) => {
    using folder = temporaryFolder();
    writeFileSync(join(folder.path, "cursor.json"), text);
    expect(readCursor(folder.path)).toBeUndefined();
  },
);
