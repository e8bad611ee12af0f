import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { StoreOperation, TakenIn } from "../../src/entities/journal-entry.ts";
import { ArtifactIntake } from "../../src/recorder/artifact-intake.ts";
import { LiveRun } from "../../src/recorder/live-run.ts";
import { RecordHandler } from "../../src/recorder/record-handler.ts";
import { createMasker } from "../../src/wire/redact.ts";

const masker = createMasker({}, { enabled: true });
const socket = (connectionId: number) => ({ kind: "socket", connectionId }) as const;
const file = { kind: "file", offset: 0 } as const;

let folder: string;
let events: unknown[];
let warnings: string[];
let handler: RecordHandler;

/** A handler on a real live run; what is journaled, flushed and told stands in `events` in its order. */
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "handler-"));
  [events, warnings] = [[], []];
  const warn = (kind: string, text: string) => void warnings.push(`${kind}: ${text}`);
  const append = (operation: StoreOperation, takenIn?: TakenIn) => void events.push([operation.op, takenIn?.logOffset]);
  handler = new RecordHandler({
    live: new LiveRun({ runId: "run", attempt: 1, masker, append, warn, now: () => 0 }),
    artifacts: new ArtifactIntake({ folder, runId: "run", cwd: folder }),
    maskText: (text) => masker.maskText(text),
    flush: (level) => {
      events.push(["flush", level]);
      return Promise.resolve();
    },
    getRun: (runId) => ({ asked: runId }),
    warn,
    onOffset: (offset) => events.push(["offset", offset]),
    passParams: () => undefined,
    onBatch: () => events.push(["batch"]),
  });
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("lines are journaled at the end of their batch, with the file's offset once", () => {
  void handler.record({ type: "batch", metrics: [["m", 1]] }, socket(1));
  expect(events).toEqual([]);
  handler.fileOffset(30);
  handler.batchEnd();
  handler.batchEnd();
  expect(events).toEqual([["offset", 30], ["log-batch", 30], ["batch"], ["batch"]]);
});

test("a flush comes behind all that was said before, ended batch or not", async () => {
  void handler.record({ type: "batch", metrics: [["m", 1]] }, socket(1));
  await handler.flush("store");
  expect(events).toEqual([["log-batch", undefined], ["batch"], ["flush", "store"]]);
});

test("an artifact is copied before its promise settles, and journaled behind what was said before it", async () => {
  writeFileSync(join(folder, "a"), "content");
  void handler.record({ type: "batch", tags: [["t", "1"]] }, socket(1));
  await handler.record({ type: "artifact", path: "a" }, socket(1));
  expect(events).toEqual([
    ["log-batch", undefined],
    ["log-artifact", undefined],
  ]);
  await expect(handler.record({ type: "artifact", path: "none" }, socket(1))).rejects.toThrow(/No such artifact/u);
  expect(events).toHaveLength(2);
});

test("texts are masked", async () => {
  await handler.record({ type: "text", text: "password=abcdefgh", artifactFile: "a.txt" }, file);
  const [name = ""] = readdirSync(join(folder, "spool"));
  expect(readFileSync(join(folder, "spool", name, "a.txt"), "utf8")).toBe("password=***");
});

test("each connection is a speaker of its own, the append file is none", () => {
  void handler.record({ type: "batch", params: [["p", "1"]] }, socket(1));
  expect(() => handler.record({ type: "batch", params: [["p", "2"]] }, socket(1))).toThrow(/already logged/u);
  void handler.record({ type: "batch", params: [["p", "2"]] }, socket(2));
  void handler.record(
    {
      type: "batch",
      params: [
        ["p", "3"],
        ["q", "1"],
      ],
    },
    file,
  );
  void handler.record({ type: "batch", params: [["q", "2"]] }, file);
  expect(warnings.filter((text) => text.startsWith("param: "))).toHaveLength(3);
});

test("bad lines are counted, and told by their kind", () => {
  handler.reportBad("no-object", "rubbish");
  handler.reportBad("no-object", "more rubbish");
  handler.reportBad("half-line", "half");
  expect(handler.badLines).toBe(3);
  expect(warnings).toEqual([
    "bad line: no-object: a log line was dropped: rubbish",
    "bad line: no-object: a log line was dropped: more rubbish",
    "bad line: half-line: a log line was dropped: half",
  ]);
});

test("the run is asked for by its id", () => {
  expect(handler.getRun("other")).toEqual({ asked: "other" });
  expect(handler.getRun()).toEqual({ asked: undefined });
});
