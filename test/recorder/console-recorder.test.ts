import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ConsoleRecorder, hasMoreOutput } from "../../src/recorder/console-recorder.ts";
import type { ConsoleSource } from "../../src/wire/control-messages.ts";
import { createMasker, StreamMasker } from "../../src/wire/redact.ts";

const secret = "s3cr3t-value-123456";
const masker = createMasker({ API_TOKEN: secret }, { enabled: true });

let folder: string;
let notices: string[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "console-"));
  mkdirSync(join(folder, "spool"));
  notices = [];
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

function create(limitBytes = 1e9, createStreamMasker = () => masker.createStreamMasker()): ConsoleRecorder {
  return new ConsoleRecorder({
    folder,
    limitBytes,
    createMasker: createStreamMasker,
    onNotice: (text) => notices.push(text),
  });
}

const path = (name: string) => join(folder, name);
const write = (name: string, content: string | Buffer) => writeFileSync(path(name), content);
const followFiles = (recorder: ConsoleRecorder, ...names: readonly string[]) =>
  recorder.follow({ kind: "files", files: names.map((name) => ({ path: path(name), offset: 0 })) });

/** The log that was kept, or `undefined`. */
async function finish(recorder: ConsoleRecorder): Promise<string | undefined> {
  const spoolPath = await recorder.finish();
  return spoolPath === undefined ? undefined : readFileSync(join(folder, spoolPath), "latin1");
}

/** Until the log in the spool has so many bytes. */
async function untilKept(bytes: number): Promise<void> {
  const size = () => statSync(path("spool/console.part"), { throwIfNoEntry: false })?.size ?? 0;
  while (size() < bytes) await new Promise((settle) => setTimeout(settle, 5));
}

describe("the console log", () => {
  test("is the wrapper's spool to its last byte, whatever comes while it is followed", async () => {
    write("console.raw", "one\n");
    const recorder = create();
    recorder.follow({ kind: "spool" });
    await untilKept(4);
    appendFileSync(path("console.raw"), Buffer.from([0, 255, 13, 10]));
    expect(await finish(recorder)).toBe("one\n\0\u00ff\r\n");
    expect(notices).toEqual([]);
  });

  test("is masked also where a secret comes in pieces", async () => {
    write("console.raw", `a ${secret.slice(0, 9)}`);
    const recorder = create();
    recorder.follow({ kind: "spool" });
    await untilKept(2);
    appendFileSync(path("console.raw"), `${secret.slice(9)} b`);
    expect(await finish(recorder)).toBe("a *** b");
  });

  test("is what the command wrote into its own files, from where it began", async () => {
    write("out", "before\nafter\n");
    write("err", "error\n");
    const recorder = create();
    recorder.follow({
      kind: "files",
      files: [
        { path: path("out"), offset: 7 },
        { path: path("err"), offset: 0 },
      ],
    });
    expect(await finish(recorder)).toBe("after\nerror\n");
  });

  test("goes on behind a file that was cut short", async () => {
    write("out", "first, long\n");
    const recorder = create();
    followFiles(recorder, "out");
    await untilKept(12);
    truncateSync(path("out"), 0);
    await new Promise((settle) => setTimeout(settle, 300));
    appendFileSync(path("out"), "second\n");
    expect(await finish(recorder)).toBe("first, long\nsecond\n");
  });

  test.each([
    ["a file that is not there", { kind: "files", files: [{ path: "/nowhere/out", offset: 0 }] }],
    ["a spool that stayed empty", { kind: "spool" }],
    ["nothing that is captured", { kind: "none" }],
  ] satisfies [string, ConsoleSource][])("is none for %s", async (_what, source) => {
    write("console.raw", "");
    const recorder = create();
    recorder.follow(source);
    expect(await finish(recorder)).toBeUndefined();
    expect(notices).toEqual([]);
  });

  test("has a name of its own each time it is finished", async () => {
    write("console.raw", "one\n");
    const names = [];
    for (let round = 0; round < 2; round += 1) {
      const recorder = create();
      recorder.follow({ kind: "spool" });
      names.push((await recorder.finish()) ?? "");
      appendFileSync(path("console.raw"), "two\n");
    }
    expect(new Set(names).size).toBe(2);
    expect(names.map((name) => readFileSync(join(folder, name), "utf8"))).toEqual(["one\n", "one\ntwo\n"]);
  });

  test("ends, with one word to the user, where the disk refuses it", async () => {
    rmSync(path("spool"), { recursive: true });
    write("spool", "a file where a folder must be");
    write("console.raw", "one\n");
    const recorder = create();
    recorder.follow({ kind: "spool" });
    expect(await finish(recorder)).toBeUndefined();
    expect(notices).toEqual([expect.stringMatching(/^the console log is incomplete: /u)]);
  });
});

describe("a flood", () => {
  const line = (number: number) => `${String(number).padStart(9, "0")}\n`;
  const lines = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, index) => line(from + index)).join("");

  test("is cut in the middle, which is not even read", async () => {
    write("out", lines(0, 1_000_000));
    let readBytes = 0;
    class CountingMasker extends StreamMasker {
      override push(chunk: Buffer): Buffer {
        readBytes += chunk.length;
        return super.push(chunk);
      }
    }
    const recorder = create(1_000_000, () => new CountingMasker());
    followFiles(recorder, "out");
    const log = (await finish(recorder)) ?? "";
    const left = 10_000_000 - 1_000_000;
    const mark = `\n... ${left} bytes left out here by track's --console-limit ...\n`;
    expect(log === lines(0, 50_000) + mark + lines(950_000, 1_000_000)).toBe(true);
    expect(readBytes).toBeLessThan(1_400_000);
  });

  test("leaves time for everything else while it is read", async () => {
    write("out", Buffer.alloc(40_000_000, "some text of a program\n"));
    const recorder = create();
    followFiles(recorder, "out");
    let turns = 0;
    const timer = setInterval(() => (turns += 1), 1);
    expect((await finish(recorder))?.length).toBe(40_000_000);
    clearInterval(timer);
    expect(turns).toBeGreaterThan(10);
  });

  test("shows no half of a secret where it is cut", async () => {
    const block = `${secret}${"x".repeat(45)}`;
    write("out", block.repeat(50_000));
    const recorder = create(100_000);
    followFiles(recorder, "out");
    const log = (await finish(recorder)) ?? "";
    expect(log.length).toBeLessThan(101_000);
    expect(log).not.toMatch(/value-123456/u);
    expect(log).toMatch(/left out/u);
  });
});

test("more output is what came behind the log, but for our own lines", async () => {
  write("out", "one\n");
  const recorder = create();
  followFiles(recorder, "out");
  await recorder.finish();
  expect(hasMoreOutput(recorder.ends)).toBe(false);
  appendFileSync(path("out"), "track: FINISHED in 0.1 s\n");
  expect(hasMoreOutput(recorder.ends)).toBe(false);
  appendFileSync(path("out"), "two\n");
  expect(hasMoreOutput(recorder.ends)).toBe(true);
  rmSync(path("out"));
  expect(hasMoreOutput(recorder.ends)).toBe(false);
  expect(hasMoreOutput(create().ends)).toBe(false);
});
