import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { RunSession } from "../../src/recorder/run-session.ts";
import { openTrackingStore } from "../../src/store/open-store.ts";
import { journalRig } from "./journal-rig.ts";

const startTime = 1_000_000_000;
const hourMs = 3_600_000;

test("a clock that is set back by an hour: all is stored, and the run ends no sooner than it began", async () => {
  using rig = journalRig({ startTime, sampling: { enabled: true, intervalSeconds: 0.05 } });
  const { folder, header } = rig;
  writeFileSync(join(folder, "log"), "");
  let now = startTime + 50;
  const session = await RunSession.open({ folder, env: {}, onNotice: () => {}, now: () => now });
  if (session === undefined) throw new Error("somebody else has the journal");
  session.start(undefined);
  session.recording.live.log({ type: "batch", metrics: [["loss", 1]], step: 1 });
  await session.recording.flush("store");
  now -= hourMs;
  session.recording.live.log({ type: "batch", metrics: [["loss", 2]], step: 2 });
  // Waits for nothing that is reckoned by the clock.
  await session.recording.flush("store");
  await session.end({
    outcome: { kind: "exited", exitCode: 0 },
    endTime: now,
    timedOut: false,
    oomKilled: false,
  });
  await session.close();
  await using store = await openTrackingStore(header.trackingUri, { mode: "read" });
  const { info } = await store.getRun(header.runId);
  expect(info).toMatchObject({ status: "FINISHED", startTime, endTime: startTime });
  const { items } = await store.getMetricHistory(header.runId, "loss");
  expect(new Set(items.map(({ value }) => value))).toEqual(new Set([1, 2]));
  // The latest is told by the step, whatever the clock says.
  const latest = (await store.getRun(header.runId)).data.metrics.find(({ key }) => key === "loss");
  expect(latest).toMatchObject({ value: 2, timestamp: startTime + 50 - hourMs });
});
