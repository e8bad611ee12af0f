import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { LifeTags } from "../../src/recorder/life-tags.ts";
import { Recording } from "../../src/recorder/recording.ts";
import { openTrackingStore } from "../../src/store/open-store.ts";
import { newRunId } from "../../src/util/ids.ts";
import { readPlace } from "../../src/util/proc.ts";

const runId = newRunId();
let root: string;
let recording: Recording;

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), "life-"));
  const folder = join(root, "journal");
  mkdirSync(folder);
  const header = {
    version: 1,
    trackingUri: `sqlite:///${join(root, "mlflow.db")}`,
    runId,
    attempt: 1,
    isResumed: false,
    createId: "c",
    experiment: { experimentId: "0" },
    runName: "named",
    userId: "u",
    startTime: 1,
    tags: [],
    staleTags: [],
    params: [],
    command: ["true"],
    cwd: root,
    place: readPlace(),
    wrapper: { pid: process.pid, startTicks: 0 },
    survive: false,
    redact: true,
    hasSecrets: false,
    sampling: { enabled: false },
    consoleLimitBytes: 1e9,
  };
  writeFileSync(join(folder, "header.json"), JSON.stringify(header));
  const opened = await Recording.open({ folder, env: {}, isReplay: false, onNotice: () => {}, now: () => 1000 });
  if (opened === undefined) throw new Error("somebody else has the journal");
  recording = opened;
});

afterEach(() => {
  vi.useRealTimers();
  rmSync(root, { recursive: true, force: true });
});

test("a run says every 30 s that it lives, no oftener, and no longer than it does", async () => {
  let now = 0;
  // The clock of the heartbeat alone: an hour of it takes no time.
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  const life = new LifeTags(recording, () => now);
  life.startBeating();
  const heard: string[] = [];
  for (now = 0; now < 3_600_000; now += 1000) {
    const value = recording.live.tags.get("track.heartbeat");
    if (value !== undefined && heard.at(-1) !== value) heard.push(value);
    vi.advanceTimersByTime(1000);
  }
  expect(heard).toHaveLength(119);
  const gaps = heard.slice(1).map((value, index) => Number(value) - Number(heard[index]));
  expect(new Set(gaps)).toEqual(new Set([30_000]));
  life.stop();
  vi.advanceTimersByTime(60_000);
  expect(recording.live.tags.get("track.heartbeat")).toBe(String(3_600_000 - 1000));
  life.remove();
  vi.useRealTimers();
  recording.start();
  await recording.close();
  await using store = await openTrackingStore(`sqlite:///${join(root, "mlflow.db")}`, { mode: "read" });
  const { data } = await store.getRun(runId);
  expect(data.tags.map(({ key }) => key)).not.toContain("track.heartbeat");
});
