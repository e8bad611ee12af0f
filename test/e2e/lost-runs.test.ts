import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Run } from "../../src/entities/run.ts";
import { openTrackingStore } from "../../src/store/open-store.ts";
import { processesIn, tagsOf, TrackRig, waitFor } from "./rig.ts";

/** A run whose wrapper, recorder, command and journal are all gone; only its tags tell of it. */
async function loseRun(rig: TrackRig, options: readonly string[] = []): Promise<Run> {
  const started = rig.start(["run", ...options, "--", "sh", "-c", "touch up; exec sleep 1000"]);
  await waitFor(() => existsSync(join(rig.cwd, "up")));
  const run = await waitFor(async () => {
    const found = (await rig.runs()).find(({ info }) => info.status === "RUNNING");
    return found !== undefined && tagsOf(found)["track.process"] !== undefined ? found : undefined;
  });
  const processes = processesIn(rig.root);
  for (const pid of processes) process.kill(pid, "SIGSTOP");
  for (const pid of processes) process.kill(pid, "SIGKILL");
  await started.finished;
  await waitFor(() => processesIn(rig.root).length === 0);
  rmSync(rig.journals, { recursive: true });
  rmSync(join(rig.cwd, "up"));
  return run;
}

test.each([["ls"], ["show", "@last"], ["doctor"], ["run", "--", "true"]])(
  "track %s ends what was lost without a journal, at its last heartbeat",
  async (...args) => {
    await using rig = TrackRig.setup();
    const { info, data } = await loseRun(rig);
    const done = await rig.track(args);
    expect(done.stderr).not.toContain("lost");
    const run = await waitFor(async () => {
      const found = (await rig.runs()).find(({ info: { runId } }) => runId === info.runId);
      return found?.info.status === "KILLED" ? found : undefined;
    });
    if (args[0] === "ls" || args[0] === "show") expect(done.stdout).toContain("KILLED");
    expect(String(run.info.endTime)).toBe(data.tags.find(({ key }) => key === "track.heartbeat")?.value);
    expect(tagsOf(run)["track.end_reason"]).toBe("lost");
    expect(tagsOf(run)["track.process"]).toBeUndefined();
    expect(tagsOf(run)["track.heartbeat"]).toBeUndefined();
  },
);

test.each([
  ["ls", "-n", "1"],
  ["show", "@last"],
  ["run", "-e", "third", "--", "true"],
])("track %s %s %s ends what was lost in another experiment, too", async (...args) => {
  await using rig = TrackRig.setup();
  const { info } = await loseRun(rig, ["-e", "first"]);
  await rig.track(["experiments", "create", "second"]);
  await using store = await openTrackingStore(rig.trackingUri, { mode: "write" });
  const second = await store.getExperimentByName("second");
  const startTime = info.startTime + 1000;
  const newer = { experimentId: second?.experimentId ?? "", userId: "u", startTime, runName: "newer", tags: [] };
  await store.createRun(newer);
  expect(await rig.track(args)).toMatchObject({ code: 0 });
  await waitFor(async () => (await store.getRun(info.runId)).info.status === "KILLED");
});

test("a reboot since is seen by the boot id; another host, another pid namespace and a live run are left alone", async () => {
  await using rig = TrackRig.setup();
  const live = rig.start(["run", "--", "sh", "-c", "while [ ! -e go ]; do sleep 0.02; done"]);
  const run = await waitFor(async () => {
    const found = await rig.run();
    return tagsOf(found)["track.process"] === undefined ? undefined : found;
  });
  const place = JSON.parse(tagsOf(run)["track.process"] ?? "") as Readonly<Record<string, unknown>>;
  const nobody = { pid: 4_194_303, startTicks: 1 };
  const seed = async (name: string, changes: Readonly<Record<string, unknown>>): Promise<void> => {
    await using store = await openTrackingStore(rig.trackingUri, { mode: "write" });
    const value = JSON.stringify({ ...place, recorder: nobody, wrapper: nobody, command: nobody, ...changes });
    const tags = [
      { key: "track.process", value },
      { key: "track.heartbeat", value: "5000" },
    ];
    await store.createRun({ experimentId: "0", userId: "u", startTime: 1000, runName: name, tags });
  };
  await seed("gone", {});
  await seed("rebooted", { bootId: "before", command: place["command"] });
  await seed("container", { pidNamespace: "pid:[1]" });
  await seed("elsewhere", { host: "node9" });
  await seed("draining", { recorder: place["recorder"] });
  await rig.track(["ls"]);
  const statuses = Object.fromEntries(
    (await rig.runs()).map(({ info }) => [info.runId === run.info.runId ? "live" : info.runName, info.status]),
  );
  expect(statuses).toEqual({
    live: "RUNNING",
    gone: "KILLED",
    rebooted: "KILLED",
    container: "RUNNING",
    elsewhere: "RUNNING",
    draining: "RUNNING",
  });
  writeFileSync(join(rig.cwd, "go"), "");
  expect((await live.finished).code).toBe(0);
});

test("a run in a pid namespace of its own is left alone from outside, also once that is gone; doctor --stale ends it", async () => {
  await using rig = TrackRig.setup();
  const unshare = ["--user", "--map-root-user", "--pid", "--fork", "--mount-proc", "--kill-child"];
  const probe = await rig.spawn("unshare", [...unshare, "true"]).finished.catch(() => ({ code: 1 }));
  // Not everywhere may a user make namespaces.
  if (probe.code !== 0) return;
  const contained = rig.spawn("unshare", [...unshare, "track", "run", "--", "sleep", "1000"]);
  await waitFor(async () => tagsOf(await rig.run())["track.heartbeat"]);
  await rig.track(["ls"]);
  expect((await rig.run()).info.status).toBe("RUNNING");
  contained.process.kill("SIGKILL");
  await contained.finished;
  await waitFor(() => processesIn(rig.root).length === 0, { what: "the container is gone" });
  await rig.track(["ls"]);
  expect((await rig.run()).info.status).toBe("RUNNING");
  expect((await rig.track(["doctor", "--stale", "--yes"])).stderr).toBe("track: no stale runs\n");
  expect(await rig.track(["doctor", "--stale", "--yes", "--older-than", "1ms"])).toMatchObject({ code: 0 });
  const ended = await rig.run();
  expect(ended.info.status).toBe("KILLED");
  expect(tagsOf(ended)["track.end_reason"]).toBe("lost");
});
