import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Recording } from "../../src/recorder/recording.ts";
import { openTrackingStore } from "../../src/store/open-store.ts";
import type { JournalHeader } from "../../src/wire/journal-header.ts";
import { type JournalRig, journalRig } from "./journal-rig.ts";

let rig: JournalRig;
let root: string;
let folder: string;
let header: JournalHeader;

beforeEach(() => {
  rig = journalRig({ params: [{ key: "cli", value: "1" }] });
  ({ root, folder, header } = rig);
});

afterEach(() => rig[Symbol.dispose]());

/** `isReplay`: its end waits for nothing. */
async function open(isReplay = false): Promise<Recording> {
  const recording = await Recording.open({ folder, env: {}, isReplay, onNotice: () => {}, now: () => 1000 });
  if (recording === undefined) throw new Error("somebody else has the journal");
  return recording;
}

async function storedRun() {
  await using store = await openTrackingStore(header.trackingUri, { mode: "read" });
  return await store.getRun(header.runId);
}

test("what is said last is stored before the journal goes", async () => {
  const recording = await open();
  recording.start();
  await recording.flush("store");
  recording.live.log({ type: "batch", metrics: [["last", 1]] });
  await recording.close();
  expect(existsSync(folder)).toBe(false);
  const { info, data } = await storedRun();
  expect(info).toMatchObject({ runName: "named", status: "RUNNING" });
  expect(data.metrics).toEqual([{ key: "last", value: 1, timestamp: 1000, step: 0 }]);
  expect(data.params).toEqual([{ key: "cli", value: "1" }]);
});

test("a session that ends without a drain leaves all to the next, which goes on where it was", async () => {
  const first = await open(true);
  first.live.log({ type: "batch", params: [["lr", "0.1"]], metrics: [["system/cpu", 1]], step: 6 });
  first.live.commit(42);
  await first.flush("journal");
  expect(await Recording.open({ folder, env: {}, onNotice: () => {}, now: () => 1 })).toBeUndefined();
  await first.close();
  expect([existsSync(folder), existsSync(join(root, "mlflow.db"))]).toEqual([true, false]);

  const second = await open();
  expect(second.earlier).toMatchObject({ logOffset: 42, nextSystemStep: 7, isEnded: false });
  expect(Object.fromEntries(second.live.params)).toEqual({ cli: "1", lr: "0.1" });
  second.start();
  await second.close();
  expect(existsSync(folder)).toBe(false);
  expect((await storedRun()).data.params.map(({ key }) => key).sort((a, b) => (a < b ? -1 : 1))).toEqual(["cli", "lr"]);
});

test("each kind of notice is told once, masked", async () => {
  const told: string[] = [];
  const env = { API_TOKEN: "s3cr3t-value" };
  const recording = await Recording.open({
    folder,
    env,
    isReplay: true,
    onNotice: (text) => told.push(text),
    now: () => 1,
  });
  recording?.notice("a", "first s3cr3t-value");
  recording?.notice("a", "second");
  recording?.notice("b", "third");
  expect(told).toEqual(["first ***", "third"]);
  await recording?.close();
});
