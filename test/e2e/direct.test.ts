import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { OpenRun } from "./open-run.ts";
import { TrackRig, waitFor } from "./rig.ts";

let rig: TrackRig;
beforeEach(() => {
  rig = TrackRig.setup();
  return () => rig[Symbol.asyncDispose]();
});

const own = { MLFLOW_TRACKING_USERNAME: "ada", MLFLOW_TRACKING_PASSWORD: "pw", MLFLOW_TRACKING_AUTH: "plugin" };

test("--direct: the command has the store's own URI, the user's credentials, and its run is there from its first instruction", async () => {
  const look = `
    const { DatabaseSync } = require("node:sqlite");
    const database = new DatabaseSync("mlflow.db", { readOnly: true });
    const row = database.prepare("SELECT count(*) AS n FROM runs WHERE run_uuid = ?").get(process.env.MLFLOW_RUN_ID);
    const { MLFLOW_TRACKING_URI, MLFLOW_TRACKING_USERNAME, MLFLOW_TRACKING_PASSWORD, MLFLOW_TRACKING_AUTH } = process.env;
    console.log(JSON.stringify([row.n, MLFLOW_TRACKING_URI, MLFLOW_TRACKING_USERNAME, MLFLOW_TRACKING_PASSWORD, MLFLOW_TRACKING_AUTH]));
  `;
  const finished = await rig.track(["run", "--direct", "--", process.execPath, "-e", look], { env: own });
  expect(finished.code, finished.stderr).toBe(0);
  expect(JSON.parse(finished.stdout)).toEqual([1, rig.trackingUri, "ada", "pw", "plugin"]);
});

test("--direct on a locked database: the command starts without a run id, and one line says so", async () => {
  await rig.track(["run", "--", "true"]);
  const lockProgram = join(import.meta.dirname, "../journal/programs/lock-database.ts");
  const lock = rig.spawn(process.execPath, [lockProgram, join(rig.cwd, "mlflow.db"), "5000"]);
  await waitFor(() => lock.stdout().includes("locked"), { what: "the lock" });
  const open = await OpenRun.start(rig, ["--direct"]);
  expect(open.env["MLFLOW_RUN_ID"]).toBeUndefined();
  expect(open.env["TRACK_RUN_ID"]).toMatch(/^[0-9a-f]{32}$/u);
  await lock.finished;
  const { stderr } = await open.end();
  expect(stderr).toContain(
    "the store has not made the run in time: the command's MLflow clients start runs of their own",
  );
  expect(await rig.runs()).toHaveLength(2);
});

test("--direct is implied, with one hint, for programs that start processes elsewhere", async () => {
  const docker = rig.script("docker", "#!/bin/sh\nenv\n");
  const finished = await rig.track(["run", "--", docker, "run"]);
  expect(finished.stdout).toContain(`MLFLOW_TRACKING_URI=${rig.trackingUri}\n`);
  expect(finished.stderr.match(/docker starts its processes elsewhere/gu)).toHaveLength(1);
});

test("--direct inside a run leaves nothing of that run's endpoint", async () => {
  const finished = await rig.track(["run", "--", "track", "run", "--direct", "--", "env"]);
  expect(finished.stdout).toContain(`MLFLOW_TRACKING_URI=${rig.trackingUri}\n`);
  expect(finished.stdout).not.toMatch(/MLFLOW_TRACKING_(?:TOKEN|PASSWORD)/u);
  expect(await rig.runs()).toHaveLength(2);
});

test("--direct refuses a database whose path clients read differently", async () => {
  const args = ["run", "--direct", "--tracking-uri", "sqlite:///per%cent.db", "--", "true"];
  expect(await rig.track(args)).toMatchObject({ code: 125, stderr: expect.stringContaining("% or ? in its path") });
});
