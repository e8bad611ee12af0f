import { existsSync, mkdirSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { expect, test } from "vitest";
import { OpenRun } from "./open-run.ts";
import { bin, processesIn, TrackRig, waitFor } from "./rig.ts";

/** `track` on a terminal of its own, where these keys are typed. */
async function onTerminal(rig: TrackRig, args: string, keys: string) {
  return await rig.spawn("script", ["-qec", `'${bin}' ${args}`, "/dev/null"], { input: keys }).finished;
}

test("gc asks on a terminal, and takes only a yes", async () => {
  await using rig = TrackRig.setup();
  await rig.track(["run", "--", "true"]);
  await rig.track(["rm", "@last"]);
  const no = await onTerminal(rig, "gc", "n\n");
  expect(no.stdout).toContain("remove 1 deleted run with all artifacts for good? [y/N] ");
  expect(no.stdout).toContain("nothing was removed");
  expect([no.code, (await rig.runs()).length]).toEqual([1, 1]);
  const yes = await onTerminal(rig, "gc", "y\n");
  expect([yes.code, (await rig.runs()).length]).toEqual([0, 0]);
});

interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly message: string;
  readonly hint?: string;
}

async function doctor(rig: TrackRig): Promise<ReadonlyMap<string, Check>> {
  const { stdout } = await rig.track(["doctor", "--json"]);
  return new Map((JSON.parse(stdout) as { checks: readonly Check[] }).checks.map((check) => [check.name, check]));
}

test("doctor names what lives, what was left, and nothing once it is gone", async () => {
  await using rig = TrackRig.setup();
  const open = await OpenRun.start(rig, ["-n", "open"]);
  const shortId = open.runId.slice(0, 8);
  const ours = (check: Check | undefined): boolean => check?.message.includes(`run ${shortId}`) === true;
  const live = await doctor(rig);
  expect(live.get("live runs")).toMatchObject({
    ok: true,
    message: expect.stringMatching(new RegExp(`^${shortId} \\(pid \\d+: sh -c `, "u")),
  });
  expect(ours(live.get("left processes"))).toBe(false);
  // Seen from elsewhere, where its journal would not be looked for, it is no leftover either.
  const far = await rig.track(["doctor"], { env: { XDG_STATE_HOME: join(rig.root, "other") } });
  expect(far.stdout).not.toContain(`(run ${shortId})`);
  await open.end(0);

  const left = rig.spawn("sh", ["-c", "sleep 30"], { env: { TRACK_RUN_ID: open.runId } });
  await waitFor(async () => ours((await doctor(rig)).get("left processes")), {
    what: "the process that is left is named",
  });
  left.process.kill("SIGKILL");
  for (const pid of processesIn(rig.root)) process.kill(pid, "SIGKILL");
  await left.finished;
  expect(ours((await doctor(rig)).get("left processes"))).toBe(false);
});

test("doctor names sockets that nobody listens on, and spares those of others", async () => {
  await using rig = TrackRig.setup();
  const [dead, alive] = ["track-aaaaaa", "track-bbbbbb"].map((name) => join(rig.root, "run", name));
  const program = "import socket,sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])";
  for (const folder of [dead ?? "", alive ?? ""]) mkdirSync(folder);
  await rig.spawn("python3", ["-c", program, join(dead ?? "", "s")]).finished;
  const server = createServer().listen(join(alive ?? "", "s"));
  const check = (await doctor(rig)).get("left sockets");
  server.close();
  expect(check?.message).toContain(dead);
  expect(check?.message).not.toContain(alive);
  expect(check?.hint).toContain(`rm -r `);
  expect(existsSync(dead ?? "")).toBe(true);
});
