import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, test } from "vitest";
import { OpenRun } from "./open-run.ts";
import { bin, processesIn, tagsOf, TrackRig, waitFor } from "./rig.ts";

const say = (text: string): readonly string[] => ["sh", "-c", text];

describe("runs that are alive", () => {
  test("wait stays until the run has ended, end and rm keep their hands off it meanwhile", async () => {
    await using rig = TrackRig.setup();
    const open = await OpenRun.start(rig, ["-n", "open"]);
    await waitFor(async () => (await rig.runs()).length === 1, { what: "the run is stored" });
    const refused = await rig.track(["end", open.runId]);
    expect(refused).toMatchObject({ code: 1, stdout: "" });
    expect(refused.stderr).toContain("the run is alive: ");
    const waiting = rig.start(["wait", open.runId]);
    const early = await rig.track(["wait", "open", "--timeout", "100ms"]);
    expect(early).toMatchObject({ code: 1, stdout: `${open.runId}\topen\tRUNNING\n` });
    expect(waiting.process.exitCode).toBeNull();
    await open.end(0);
    expect(await waiting.finished).toMatchObject({ code: 0, stdout: `${open.runId}\topen\tFINISHED\n`, stderr: "" });
  });

  test("wait finishes a run whose processes were all killed", async () => {
    await using rig = TrackRig.setup();
    const open = await OpenRun.start(rig, ["-n", "lost"]);
    await waitFor(async () => (await rig.runs()).length === 1, { what: "the run is stored" });
    const waiting = rig.start(["wait", "lost"]);
    for (const pid of processesIn(rig.root)) if (pid !== waiting.process.pid) process.kill(pid, "SIGKILL");
    const done = await waiting.finished;
    expect(done).toMatchObject({ code: 1, stdout: `${open.runId}\tlost\tKILLED\n` });
    expect(tagsOf(await rig.run())["track.end_reason"]).toBe("lost");
  });
});

test("a shell script that goes on by what a run said", async () => {
  await using rig = TrackRig.setup();
  const script = rig.script(
    "pipeline.sh",
    `set -e
track run --quiet --run-id-file id -p lr=0.01 -- sh -c 'echo hello; echo loss=0.25 >> "$TRACK_LOG"; exit 3' || code=$?
id=$(cat id)
track wait "$id" > /dev/null || echo "not finished, exit $code"
echo "lr $(track get param "$id" lr) loss $(track get metric "$id" loss) code $(track get tag "$id" track.exit_code)"
track assert "metrics.loss < 0.3" "$id" && echo good
track assert "metrics.loss < 0.2" "$id" 2>&1 || echo bad
track artifacts get "$id" console/attempt-1.log -o - | tr a-z A-Z
`,
  );
  const done = await rig.spawn("sh", [script]).finished;
  expect(done.stdout.split("\n")).toEqual([
    "hello",
    "not finished, exit 3",
    "lr 0.01 loss 0.25 code 3",
    "good",
    expect.stringContaining("does not match: metric loss is 0.25"),
    "bad",
    "HELLO",
    "",
  ]);
  expect(done.code).toBe(0);
});

test("artifacts get -o - to a reader that goes away is no error", async () => {
  await using rig = TrackRig.setup();
  await rig.track(["run", "--", ...say("yes | head -c 5000000")]);
  const done = await rig.spawn("bash", [
    "-c",
    `set -o pipefail; '${bin}' artifacts get @last console/attempt-1.log -o - | head -c 4; echo " \${PIPESTATUS[0]}"`,
  ]).finished;
  expect(done).toMatchObject({ stdout: "y\ny\n 0\n", stderr: "" });
  const folder = await rig.track(["artifacts", "get", "@last", "console", "-o", "-"]);
  expect(folder).toMatchObject({ code: 1, stdout: "" });
  expect(folder.stderr).toContain("a folder cannot go to stdout: console");
});

test("a run takes what is not said from the files, and no secret of theirs into the store", async () => {
  await using rig = TrackRig.setup();
  const deep = join(rig.cwd, "deep/er");
  mkdirSync(deep, { recursive: true });
  mkdirSync(join(rig.root, "home/.config/track"), { recursive: true });
  writeFileSync(
    join(rig.root, "home/.config/track/config.toml"),
    'experiment = "mine"\nsummary-file = "summary.json"\n',
  );
  writeFileSync(
    join(rig.cwd, "track.toml"),
    'experiment = "digits"\ntracking-uri = "sqlite:///mlflow.db"\nrun-name = "from-file"\n[tag]\nteam = "vision"\nwho = "file"\n',
  );
  const done = await rig.track(["run", "-t", "who=typed", "--", "true"], { cwd: deep });
  expect(done.stderr).toContain("run from-file (");
  const run = await rig.run();
  expect(tagsOf(run)).toMatchObject({ team: "vision", who: "typed", "track.options": "{}" });
  await using store = await rig.openStore();
  expect((await store.getExperiment(run.info.experimentId)).name).toBe("digits");
  expect(existsSync(join(deep, "summary.json"))).toBe(true);
  expect((await rig.track(["ls"], { cwd: deep })).stdout).toContain("from-file");

  // The name is for new runs: a run that exists keeps its own.
  await rig.track(["run", "-n", "typed", "--", "true"], { cwd: deep });
  await rig.track(["resume", "typed"], { cwd: deep });
  expect((await rig.runs()).map(({ info }) => info.runName).sort()).toEqual(["from-file", "typed"]);
});

test("a setting of a file counts before the start as an option does", async () => {
  await using rig = TrackRig.setup();
  writeFileSync(join(rig.cwd, "track.toml"), "strict = true\n");
  await rig.track(["run", "--", "true"]);
  const database = new DatabaseSync(join(rig.cwd, "mlflow.db"));
  database.exec("BEGIN EXCLUSIVE");
  const refused = await rig.track(["run", "--", "touch", "ran"]);
  database.close();
  expect(refused).toMatchObject({ code: 125, stderr: expect.stringContaining("hint: mend it, or leave out --strict") });
  expect(existsSync(join(rig.cwd, "ran"))).toBe(false);
});
