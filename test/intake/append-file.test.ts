import { appendFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { invalidParameter } from "../../src/errors.ts";
import { AppendFileReader } from "../../src/intake/append-file.ts";
import { program, Recorder, runProgram, until } from "./intake-rig.ts";

let folder: string;
let path: string;
let handler: Recorder;
let reader: AppendFileReader;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "track-append-"));
  path = join(folder, "log");
  writeFileSync(path, "");
  handler = new Recorder();
  reader = new AppendFileReader({ path, handler });
});

afterEach(async () => {
  await reader.stop();
  rmSync(folder, { recursive: true, force: true });
});

test("words and NDJSON objects, in order", async () => {
  reader.start();
  appendFileSync(path, "loss=0.31 acc=0.9 step=10 timestamp=1790000000000\n");
  appendFileSync(path, "param.lr=0.01 tag.phase=warm-up lr=1e-3\n");
  appendFileSync(path, '{"metrics":{"loss":0.2},"step":11}\n{"text":"hello","artifact_file":"notes/a.txt"}\n');
  await until(() => handler.records.length === 4);
  expect(handler.records).toEqual([
    {
      type: "batch",
      metrics: [
        ["loss", 0.31],
        ["acc", 0.9],
      ],
      step: 10,
      timestamp: 1790000000000,
    },
    { type: "batch", metrics: [["lr", 0.001]], params: [["lr", "0.01"]], tags: [["phase", "warm-up"]] },
    { type: "batch", metrics: [["loss", 0.2]], step: 11 },
    { type: "text", text: "hello", artifactFile: "notes/a.txt" },
  ]);
});

test("a bad line is reported, and only that line is lost", async () => {
  const bad = [
    "word",
    "=5",
    "loss=high",
    "loss=0x10",
    "loss=",
    "step=1.5 loss=1",
    "timestamp=-1 loss=1",
    "step=3",
    "a//b=1",
    "param.=1",
    "tag.phase=warm up",
    '{"metrics":',
    '{"metrics":{"a":true}}',
    '{"epoch":1}',
    '{"get":"run"}',
    "\u0000\u0001\u0002",
  ];
  writeFileSync(path, `${bad.join("\n")}\n\n   \n{"flush":true}\n`);
  appendFileSync(path, Buffer.from([0x61, 0x3d, 0xff, 10]));
  appendFileSync(path, `${"x".repeat(1024 * 1024 + 1)}\ngood=1\n`);
  await reader.finish();
  expect(handler.metrics).toEqual([["good", 1]]);
  expect(handler.bad).toHaveLength(bad.length + 2);
  expect(handler.bad.map(([kind]) => kind).slice(-2)).toEqual(["no-object", "too-long"]);
});

test("a program that prints nan and inf says NaN and infinity", async () => {
  writeFileSync(path, "a=nan b=inf c=-Infinity d=+5. e=.5 f=-1E3\n");
  await reader.finish();
  expect(handler.metrics.map(([, value]) => value)).toEqual([
    Number.NaN,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    5,
    0.5,
    -1000,
  ]);
});

test("each record comes with its offset, then the offset of all, then the end of the batch", async () => {
  writeFileSync(path, "a=1\nä=2\npart");
  reader.start();
  await until(() => handler.journal.includes("end"));
  expect(handler.sources).toEqual([
    { kind: "file", offset: 4 },
    { kind: "file", offset: 9 },
  ]);
  expect(handler.journal).toEqual(["batch", "batch", "offset 9", "end"]);
});

test("reading goes on where an earlier reader stopped", async () => {
  writeFileSync(path, "a=1\nb=2\nc=");
  await reader.finish();
  expect(handler.metrics).toEqual([
    ["a", 1],
    ["b", 2],
  ]);
  const next = new Recorder();
  appendFileSync(path, "\nd=4\n");
  await new AppendFileReader({ path, handler: next, offset: 4 }).finish();
  expect(next.metrics).toEqual([
    ["b", 2],
    ["d", 4],
  ]);
  expect(next.journal.filter((word) => word.startsWith("offset"))).toEqual(["offset 15"]);
});

test("a last line without a newline counts once the command has ended, not before", async () => {
  writeFileSync(path, "a=1\nb=2");
  reader.start();
  await until(() => handler.records.length === 1);
  appendFileSync(path, "3");
  await reader.finish();
  expect(handler.metrics).toEqual([
    ["a", 1],
    ["b", 23],
  ]);
  expect(handler.journal.slice(-3)).toEqual(["batch", "offset 8", "end"]);
});

test("a file that appears late is read; one that never does is no error", async () => {
  rmSync(path);
  reader.start();
  writeFileSync(join(folder, "other"), "a=1\n");
  renameSync(join(folder, "other"), path);
  await until(() => handler.records.length === 1);
  await new AppendFileReader({ path: join(folder, "missing"), handler }).finish();
  expect(handler.bad).toEqual([]);
});

test.each([
  ["shorter", "b=2\n"],
  ["longer, with the same name", "bb=1\n".repeat(10)],
])("a file that was overwritten is read from its start, with a warning: %s", async (_name, content) => {
  writeFileSync(path, "a=1\na=1\n");
  reader.start();
  await until(() => handler.records.length === 2);
  // Another inode under the name is as good as `>`: the second case cannot be told by its size.
  rmSync(path);
  writeFileSync(join(folder, "new"), content);
  renameSync(join(folder, "new"), path);
  await reader.finish();
  expect(handler.metrics.slice(2)).toHaveLength(content.split("\n").length - 1);
  expect(handler.bad).toEqual([["truncated", expect.stringContaining(">>")]]);
});

test("a file emptied with > and written on is read from its start", async () => {
  writeFileSync(path, "first=1\nfirst=2\n");
  reader.start();
  await until(() => handler.records.length === 2);
  await runProgram({ TRACK_LOG: path }, folder, "bash", "-c", 'echo "second=1" > "$TRACK_LOG"');
  await until(() => handler.records.length === 3);
  appendFileSync(path, "second=2\n");
  await reader.finish();
  expect(handler.metrics.map(([key]) => key)).toEqual(["first", "first", "second", "second"]);
  expect(handler.bad.map(([kind]) => kind)).toEqual(["truncated"]);
});

test("an artifact is taken before what follows it, and before the offset passes it", async () => {
  const copy = Promise.withResolvers<void>();
  handler.onRecord = (record) => (record.type === "artifact" ? copy.promise : undefined);
  writeFileSync(path, 'b=1\n{"artifact":"model.bin"}\na=1\n');
  reader.start();
  await until(() => handler.records.length === 2);
  expect(handler.journal).toEqual(["batch", "artifact", "offset 4", "end"]);
  copy.resolve();
  await until(() => handler.records.length === 3);
  expect(handler.journal.slice(4)).toEqual(["offset 29", "end", "batch", "offset 33", "end"]);
});

test("a refused record is reported and passed", async () => {
  handler.onRecord = (record) => {
    if (record.type === "artifact") return Promise.reject(invalidParameter("no such file"));
    if (record.type === "batch" && record.metrics?.[0]?.[0] === "a") throw invalidParameter("param differs");
    return undefined;
  };
  writeFileSync(path, '{"artifact":"model.bin"}\na=1\nb=2\n');
  await reader.finish();
  expect(handler.bad).toEqual([
    ["refused", "no such file"],
    ["refused", "param differs"],
  ]);
  expect(handler.journal.at(-2)).toBe("offset 33");
});

test("what cannot be read is reported, and tried again", async () => {
  reader = new AppendFileReader({ path: folder, handler });
  await reader.finish();
  expect(handler.bad).toEqual([["fault", expect.stringContaining("EISDIR")]]);
});

test("eight shells at once lose nothing", async () => {
  reader.start();
  const names = ["a", "b", "c", "d", "e", "f", "g", "h"];
  await Promise.all(
    names.map((name) => runProgram({ TRACK_LOG: path }, folder, "bash", program("log-append.sh"), name, "500")),
  );
  await reader.finish();
  expect(handler.bad).toEqual([]);
  for (const name of names) {
    const values = handler.metrics.filter(([key]) => key === name).map(([, value]) => value);
    expect(values).toEqual(Array.from({ length: 500 }, (_, index) => index + 1));
  }
});

test("a writer that is faster than we are does not hold up the end", async () => {
  handler.onRecord = () => new Promise((resolve) => setImmediate(resolve));
  reader.start();
  const flood = setInterval(() => appendFileSync(path, "a=1\n".repeat(4000)), 1);
  await until(() => handler.records.length > 10);
  await reader.finish();
  const { length } = handler.records;
  await new Promise((resolve) => setTimeout(resolve, 20));
  clearInterval(flood);
  expect(handler.records).toHaveLength(length);
});
