import {
  appendFileSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { LogRecord } from "../../../src/entities/log-record.ts";
import { maskedCrc32c } from "../../../src/intake/tensorboard/crc32c.ts";
import { findEventFiles } from "../../../src/intake/tensorboard/find-event-files.ts";
import { TensorboardReader } from "../../../src/intake/tensorboard/tensorboard-reader.ts";

const fixtures = resolve(import.meta.dirname, "../../../fixtures/tensorboard");
const torchFile = join(fixtures, "torch/events.out.tfevents.1700000000.host.2");
const start = 1_700_000_000_250;

let folder: string;
let records: LogRecord[];
let notices: string[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tensorboard-"));
  [records, notices] = [[], []];
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

function read(existing: Readonly<Record<string, number>> = {}, folders = [folder]): TensorboardReader {
  return new TensorboardReader({
    folders,
    existing,
    sink: (record) => records.push(record),
    onBatch: () => {},
    onNotice: (_kind, text) => notices.push(text),
    congestion: () => undefined,
  });
}

/** `step key=value` of each metric, without the times. */
const points = (): readonly string[] =>
  records.flatMap((record) =>
    record.type === "batch" ? (record.metrics ?? []).map(([key, value]) => `${record.step} ${key}=${value}`) : [],
  );

const put = (source: string, target: string): void => {
  mkdirSync(dirname(join(folder, target)), { recursive: true });
  copyFileSync(join(fixtures, source), join(folder, target));
};

describe("files of the real writers", () => {
  test("PyTorch, both styles; pictures are left out", async () => {
    copyFileSync(torchFile, join(folder, "events.out.tfevents.1"));
    await read().finish();
    expect(points().join(" ")).toBe(
      "0 old=0 0 new=0 0 double=0 1 old=2 1 new=3 1 double=0.3333333333333333 " +
        "2 old=4 2 new=6 2 double=0.6666666666666666 5 broken=NaN",
    );
    expect(records[3]).toMatchObject({ timestamp: start + 1000 });
    expect(notices).toEqual([]);
  });

  test("tensorboardX; histograms and texts are left out", async () => {
    put("x/events.out.tfevents.1700000000.host.1", "events.out.tfevents.1");
    await read().finish();
    expect(new Set(points().map((point) => point.split(/[ =]/u)[1]))).toEqual(new Set(["Loss/train", "acc_1__top_"]));
    expect(points()).toHaveLength(6);
  });

  test("hyperparameters are params, the metrics beside them lose the name that is only a time", async () => {
    cpSync(join(fixtures, "hparams"), folder, { recursive: true });
    await read().finish();
    const params = records.flatMap((record) => (record.type === "batch" ? (record.params ?? []) : []));
    expect(Object.fromEntries(params)).toEqual({ lr: "0.01", batch_size: "32", optimizer: "adam", amp: "1" });
    expect(points()).toEqual([`0 hparam/accuracy=${Math.fround(0.9)}`]);
  });

  test("several writers: names begin with where they lie, seen from the first", async () => {
    cpSync(join(fixtures, "torch"), join(folder, "run"), { recursive: true });
    await read().finish();
    expect(points()).toEqual(expect.arrayContaining(["0 old=0", "7 both_a/both=1", "7 both_b/both=2"]));
  });

  test("Keras' folders say which data it was", async () => {
    cpSync(join(fixtures, "keras"), join(folder, "logs"), { recursive: true });
    await read().finish();
    expect(points()).toEqual(["1 train/epoch_loss=0.5", "1 validation/epoch_loss=0.75"]);
  });
});

describe("a file that grows", () => {
  const content = readFileSync(torchFile);

  test("gives each record once, wherever it is cut", async () => {
    copyFileSync(torchFile, join(folder, "events.out.tfevents.1"));
    await read().finish();
    const whole = records;
    for (const size of [1, 7, 100]) {
      records = [];
      const path = join(folder, "events.out.tfevents.1");
      writeFileSync(path, "");
      const reader = read();
      for (let at = 0; at < content.length; at += size) {
        appendFileSync(path, content.subarray(at, at + size));
        await reader.finish();
      }
      expect(records).toEqual(whole);
    }
    expect(notices).toEqual([]);
  });

  test("what it held before is not taken, even where it ends within a record", async () => {
    const path = join(folder, "events.out.tfevents.1");
    writeFileSync(path, content.subarray(0, 230));
    const existing = Object.fromEntries(await findEventFiles(folder));
    const reader = read(existing);
    await reader.finish();
    expect(points()).toEqual([]);
    appendFileSync(path, content.subarray(230));
    await reader.finish();
    expect(points().length).toBeGreaterThan(3);
    expect(points()).not.toContain("0 old=0");
    expect(points()).toContain("2 old=4");
  });

  test("one that is replaced is read from its start", async () => {
    const path = join(folder, "events.out.tfevents.1");
    writeFileSync(path, content);
    const reader = read();
    await reader.finish();
    const count = points().length;
    writeFileSync(join(folder, "new"), content.subarray(0, 300));
    renameSync(join(folder, "new"), path);
    await reader.finish();
    expect(points().slice(count)[0]).toBe("0 old=0");
  });

  test("is followed by itself, and files that come later as well", async () => {
    const reader = read({}, [join(folder, "later")]);
    reader.start();
    put("x/events.out.tfevents.1700000000.host.1", "later/deep/down/events.out.tfevents.1");
    while (points().length < 6) await new Promise((settle) => setTimeout(settle, 20));
    await reader.finish();
    expect(points()).toHaveLength(6);
    expect(reader.emptyFolders).toEqual([]);
  });
});

describe("bad files", () => {
  test("a damaged record is left out, and told", async () => {
    put("damaged/events.out.tfevents.1700000000.host.9", "events.out.tfevents.1");
    await read().finish();
    expect(points()).toEqual(["0 loss=0", "2 loss=2"]);
    expect(notices).toEqual([`${folder}/events.out.tfevents.1: a damaged record was left out, at byte 40`]);
  });

  test("a damaged length ends the file, and is told", async () => {
    const content = readFileSync(torchFile);
    const second = Number(content.readBigUInt64LE(0)) + 16;
    content[second] = 0xff;
    const path = join(folder, "events.out.tfevents.1");
    writeFileSync(path, content);
    const reader = read();
    for (let look = 0; look < 6; look += 1) await reader.finish();
    expect(points()).toEqual([]);
    expect(notices).toEqual([`${path} is damaged at byte ${second} and not read any further`]);
  });

  test("something else under such a name is told once", async () => {
    put("rubbish/events.out.tfevents.1700000000.host.8", "events.out.tfevents.1");
    const reader = read();
    await reader.finish();
    appendFileSync(join(folder, "events.out.tfevents.1"), "more");
    await reader.finish();
    expect(notices).toEqual([`${folder}/events.out.tfevents.1 is no event file of TensorBoard`]);
  });

  test("a sound record that is no event is left out, and so is a very long one", async () => {
    const path = join(folder, "events.out.tfevents.1");
    writeFileSync(path, Buffer.concat([frame(Buffer.from([0xff, 0xff, 0xff])), frame(Buffer.alloc(5_000_000))]));
    appendFileSync(path, readFileSync(torchFile));
    await read().finish();
    expect(points()).toHaveLength(10);
    expect(notices).toEqual([`${path}: an event cannot be read and was left out`]);
  });

  test("a very long record that is still being written is waited for, and passed over", async () => {
    const path = join(folder, "events.out.tfevents.1");
    const long = frame(Buffer.alloc(5_000_000));
    const reader = read();
    for (const part of [long.subarray(0, 1_000_000), long.subarray(1_000_000), readFileSync(torchFile)]) {
      appendFileSync(path, part);
      await reader.finish();
    }
    expect(points()).toHaveLength(10);
    expect(notices).toEqual([]);
  });

  test("folders that are not there, empty or files", async () => {
    writeFileSync(join(folder, "file"), "");
    mkdirSync(join(folder, "empty"));
    const folders = ["file", "empty", "missing"].map((name) => join(folder, name));
    const reader = read({}, folders);
    await reader.finish();
    expect(reader.emptyFolders).toEqual(folders);
    expect([records, notices]).toEqual([[], []]);
  });
});

function frame(data: Buffer): Buffer {
  const framed = Buffer.alloc(data.length + 16);
  framed.writeBigUInt64LE(BigInt(data.length));
  framed.writeUInt32LE(maskedCrc32c(framed.subarray(0, 8)), 8);
  data.copy(framed, 12);
  framed.writeUInt32LE(maskedCrc32c(data), 12 + data.length);
  return framed;
}
