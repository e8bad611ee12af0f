import { join } from "node:path";
import { readFileSync } from "node:fs";
import { expect } from "vitest";
import { metricsOf, tagsOf, TrackRig, waitFor } from "./rig.ts";
import { fishShells, namesIn } from "./shells.ts";
import { testIf } from "../only-if.ts";

const inFish = testIf(fishShells.length > 0, "fish is not installed");

inFish("a run of a fish script, whose variables are put back", async () => {
  await using rig = TrackRig.setup();
  const nasty = `it's "a" $HOME (b) \\ c\n\\'!x é`;
  const script = rig.script(
    "script.fish",
    `env -0 | sort -z > before
track start -n fishy | source
or exit 9
env -0 | sort -z > within
track log metric loss=0.5
track end --print-env --status-from 3 | source
env -0 | sort -z > after
`,
  );
  const env = { MLFLOW_TRACKING_PASSWORD: nasty, MLFLOW_EXPERIMENT_NAME: nasty, PYTHONPATH: "/a:/b" };
  expect(await rig.spawn("fish", [script], { env }).finished).toMatchObject({ code: 0, stdout: "" });
  const [before, within, after] = ["before", "within", "after"].map((name) =>
    readFileSync(join(rig.cwd, name), "utf8"),
  );
  expect(after).toBe(before);
  expect(within).toContain(`MLFLOW_EXPERIMENT_NAME=${nasty}\0`);
  expect(within).toMatch(/PYTHONPATH=\/[^\0]*\/python-hook:\/a:\/b\0/u);
  const run = await rig.run();
  expect([run.info.status, metricsOf(run), tagsOf(run)["track.exit_code"]]).toEqual(["FAILED", { loss: 0.5 }, "3"]);
});

inFish("a fish script that is killed, and a start that fails", async () => {
  await using rig = TrackRig.setup();
  const script = rig.script("script.fish", `track start --shell fish | source\n: > ready\nread line < fifo\n`);
  await rig.spawn("mkfifo", ["fifo"]).finished;
  const { process: fish } = rig.spawn("fish", [script]);
  await waitFor(() => namesIn(rig.cwd).includes("ready"));
  await waitFor(async () => (await rig.run()).info.status === "RUNNING");
  fish.kill("SIGKILL");
  await waitFor(async () => (await rig.run()).info.status === "KILLED", { timeoutMs: 5000 });
  const failed = rig.spawn("fish", ["-c", "track start --bogus | source; and echo never; or echo failed"]);
  expect(await failed.finished).toMatchObject({ stdout: "failed\n" });
});
