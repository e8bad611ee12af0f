import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ConsoleRecorder } from "../../src/recorder/console-recorder.ts";
import { openSegments } from "../../src/recorder/output-files.ts";
import { consoleSegmentBytes } from "../../src/wire/console-segments.ts";
import { createMasker } from "../../src/wire/redact.ts";
import { Spool } from "../../src/wrapper/stdio/spool.ts";

let folder: string;
const path = (): string => join(folder, "console.raw");

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "spool-"));
  mkdirSync(join(folder, "spool"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Numbered lines, `bytes` of them, in pieces of every length. */
function* lines(bytes: number): Generator<Buffer> {
  const text = Buffer.from(
    Array.from({ length: bytes / 8 }, (_, index) => `${String(index).padStart(7, "0")}\n`).join(""),
  );
  for (let start = 0, size = 1; start < text.length; start += size, size = (size * 7 + 3) % 50_021) {
    yield text.subarray(start, start + size);
  }
}

async function fill(bytes: number, segmentBytes: number): Promise<string[]> {
  const ends: string[] = [];
  let wake = (): void => undefined;
  const spool = new Spool({ path: path(), segmentBytes, onEnd: (reason) => ends.push(reason), onReady: () => wake() });
  for (const chunk of lines(bytes)) {
    if (!spool.append(Buffer.from(chunk))) await new Promise<void>((resolve) => (wake = resolve));
  }
  await spool.close();
  return ends;
}

describe("the raw console output", () => {
  test("lies in segments, of which the first and the last two are kept", async () => {
    expect(await fill(1_000_000, 150_000)).toEqual([]);
    expect(readdirSync(folder).toSorted()).toEqual(["console.raw", "console.raw.5", "console.raw.6", "spool"]);
    const sizes = ["", ".5", ".6"].map((end) => statSync(`${path()}${end}`).size);
    expect(sizes).toEqual([150_000, 150_000, 100_000]);
    expect(readFileSync(`${path()}.6`, "latin1").endsWith("0124999\n")).toBe(true);
    expect(readFileSync(`${path()}.5`, "latin1").slice(0, 8)).toBe("0093750\n");
  });

  test("is read through all of them, over those that are gone", async () => {
    await fill(1_000_000, 150_000);
    const file = openSegments(path(), 150_000);
    if (file === undefined) throw new Error("no segment");
    const end = file.measure();
    const buffer = Buffer.alloc(40_000);
    const parts: Buffer[] = [];
    let missing = 0;
    while (file.offset < end) {
      missing += file.skipMissing();
      parts.push(Buffer.from(buffer.subarray(0, file.read(buffer, Math.min(buffer.length, end - file.offset)))));
    }
    file.close();
    const kept = ["", ".5", ".6"].map((ending) => readFileSync(`${path()}${ending}`));
    expect([end, missing]).toEqual([1_000_000, 600_000]);
    expect(Buffer.concat(parts).equals(Buffer.concat(kept))).toBe(true);
  });

  test("makes the same capped log whether it was read along or not", async () => {
    const limitBytes = 40_000;
    const record = (): ConsoleRecorder =>
      new ConsoleRecorder({
        folder,
        limitBytes,
        createMasker: () => createMasker({}, { enabled: true }).createStreamMasker(),
        onNotice: (text) => expect(text).toBe(""),
      });
    await fill(3_000_000, consoleSegmentBytes(limitBytes));
    const recorder = record();
    recorder.follow({ kind: "spool" });
    const log = readFileSync(join(folder, (await recorder.finish()) ?? ""), "latin1");
    const text = Buffer.concat([...lines(3_000_000)]).toString("latin1");
    const left = text.length - 2 * (limitBytes / 2);
    expect(log).toBe(
      `${text.slice(0, limitBytes / 2)}\n... ${left} bytes left out here by track's --console-limit ...\n${text.slice(-limitBytes / 2)}`,
    );
  });
});
