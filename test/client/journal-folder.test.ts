import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createJournalFolder, journalRoots } from "../../src/client/journal-folder.ts";
import { writePrivate } from "../../src/util/write-private.ts";
import type { JournalHeader } from "../../src/wire/journal-header.ts";

let root = "";
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "places-"));
});
afterEach(() => rmSync(root, { recursive: true }));

const header = { runId: "a".repeat(32), attempt: 2 } as JournalHeader;
const mode = (path: string): number => statSync(path).mode & 0o777;

test("the places of records.md, best first", () => {
  const temporary = `/t/track-journals-${process.getuid?.() ?? 0}`;
  expect(journalRoots({ stateHome: "/s", home: "/h", storeFolder: "/w", temporary: "/t" })).toEqual([
    "/s/track/journals",
    "/w/.track/journals",
    temporary,
  ]);
  expect(journalRoots({ home: "/h", temporary: "/t" })).toEqual(["/h/.local/state/track/journals", temporary]);
  expect(journalRoots({ temporary: "/t" })).toEqual([temporary]);
});

test("only the owner can look into a journal; header and append file are there at once", () => {
  const created = createJournalFolder([join(root, "state")], header);
  const folder = created.folder ?? "";
  expect([folder, join(folder, "header.json"), join(folder, "log")].map(mode)).toEqual([0o700, 0o600, 0o600]);
  expect(JSON.parse(readFileSync(join(folder, "header.json"), "utf8"))).toEqual(header);
  expect(readFileSync(join(folder, "log"), "utf8")).toBe("");
});

test("a second journal of the same attempt gets a folder of its own", () => {
  const [one, two] = [createJournalFolder([root], header), createJournalFolder([root], header)];
  expect(one.folder).not.toBe(two.folder);
});

test("a place that cannot be used is passed over; where none can, every reason is told", () => {
  writeFileSync(join(root, "file"), "");
  const good = createJournalFolder([join(root, "file/sub"), join(root, "good")], header);
  expect(good.folder?.startsWith(join(root, "good"))).toBe(true);
  const none = createJournalFolder([join(root, "file/a"), join(root, "file/b")], header);
  expect(none).toMatchObject({ folder: undefined });
  expect("reasons" in none && none.reasons).toHaveLength(2);
});

test("a small file is written whole, 0600", () => {
  writePrivate(root, "outcome.json", "{}");
  expect(mode(join(root, "outcome.json"))).toBe(0o600);
  expect(readFileSync(join(root, "outcome.json"), "utf8")).toBe("{}");
});
