import { appendFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readEntries } from "../../src/journal/journal-reader.ts";
import { ConsoleMetrics } from "../../src/recorder/console-metrics.ts";
import { ConsoleRecorder } from "../../src/recorder/console-recorder.ts";
import { Recording } from "../../src/recorder/recording.ts";
import { consoleSegmentBytes } from "../../src/wire/console-segments.ts";
import { type JournalRig, journalRig } from "./journal-rig.ts";

let rig: JournalRig;
let folder: string;
let notices: string[];

beforeEach(() => {
  notices = [];
  rig = journalRig();
  ({ folder } = rig);
});

afterEach(() => rig[Symbol.dispose]());

interface ReadOptions {
  readonly limitBytes?: number;
  readonly files?: readonly string[];
}

/** One recorder's life, cut short before anything is stored: it reads the output to its end, as often as `reads` says. */
async function session(reads: number, { limitBytes = 1e9, files }: ReadOptions = {}): Promise<void> {
  const onNotice = (text: string): void => void notices.push(text);
  const recording = await Recording.open({ folder, env: {}, isReplay: true, onNotice, now: () => 1000 });
  if (recording === undefined) throw new Error("somebody else has the journal");
  const metrics = await ConsoleMetrics.load(recording, "auto", () => 2000);
  for (let round = 0; round < reads; round += 1) {
    const console = new ConsoleRecorder({
      folder,
      limitBytes,
      createMasker: () => recording.masker.createStreamMasker(),
      createReader: (index) => metrics.createReader(index),
      congestion: () => recording.congestion,
      onNotice,
    });
    console.follow(
      files === undefined
        ? { kind: "spool" }
        : { kind: "files", files: files.map((name) => ({ path: join(folder, name), offset: 0 })) },
    );
    await console.finish();
  }
  await recording.close();
}

/** `step key=value` of everything that was journaled, in its order. */
const journaled = (): readonly string[] =>
  Array.from(readEntries(folder)).flatMap(({ entry: { operation } }) =>
    operation.op === "log-batch"
      ? (operation.metrics ?? []).map(([key, value, , step]) => `${step} ${key}=${value}`)
      : [],
  );

const append = (text: string, name = "console.raw"): void => appendFileSync(join(folder, name), text);

test("output that is read again gives nothing again, by this recorder or a later one", async () => {
  append("loss: 0.5\nloss: 0.25\n");
  await session(2);
  append("loss: 0.125\n");
  await session(2);
  await session(1);
  expect(journaled()).toEqual(["0 loss=0.5", "1 loss=0.25", "2 loss=0.125"]);
  expect(notices).toEqual([]);
});

test("each file of output is counted by itself", async () => {
  append("loss: 0.5\n", "out");
  append("acc: 0.5\nacc: 0.75\n", "err");
  await session(1, { files: ["out", "missing", "err"] });
  append("loss: 0.25\n", "out");
  append("acc: 0.875\n", "err");
  await session(1, { files: ["out", "missing", "err"] });
  expect(journaled().toSorted()).toEqual(["0 acc=0.5", "0 loss=0.5", "1 acc=0.75", "1 loss=0.25", "2 acc=0.875"]);
});

test("the log's limit leaves no metric out", async () => {
  const filler = "nothing to see here\n".repeat(50_000);
  append(`loss: 0.5\n${filler}loss: 0.25\n${filler}loss: 0.125\n`);
  await session(1, { limitBytes: 1000 });
  expect(journaled()).toEqual(["0 loss=0.5", "1 loss=0.25", "2 loss=0.125"]);
});

test("where a part of the output is gone, what was taken in stays taken in, and what is new is not lost", async () => {
  const limitBytes = 2;
  const size = consoleSegmentBytes(limitBytes);
  const segment = (line: string): string => `${line}\n`.padEnd(size, "\n");
  append(segment("loss: 0.5"));
  append(segment("loss: 0.25"), "console.raw.1");
  append("loss: 0.125\n", "console.raw.2");
  await session(1, { limitBytes });
  expect(journaled()).toHaveLength(3);
  rmSync(join(folder, "console.raw.1"));
  append("loss: 0.0625\nloss: 0.03125\n", "console.raw.2");
  await session(1, { limitBytes });
  expect(journaled()).toEqual(["0 loss=0.5", "1 loss=0.25", "2 loss=0.125", "3 loss=0.0625", "4 loss=0.03125"]);
});

test("steps go on behind what was logged in another way", async () => {
  append("loss: 0.5\n");
  await session(1);
  const recording = await Recording.open({ folder, env: {}, isReplay: true, onNotice: () => {}, now: () => 1000 });
  recording?.live.log({ type: "batch", metrics: [["loss", 9]], step: 41 });
  await recording?.close();
  append("loss: 0.25\n");
  await session(1);
  expect(journaled()).toEqual(["0 loss=0.5", "41 loss=9", "42 loss=0.25"]);
});
