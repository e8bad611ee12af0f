import { spawnSync } from "node:child_process";
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { printed, runProgram, setupLibrary, startProgram, writeProgram } from "../e2e/library-rig.ts";
import { waitFor } from "../e2e/rig.ts";
import { makeTestFolder, shareAgent, sqliteUri } from "./interop-folder.ts";
import { mlflowEnvironment } from "./mlflow-agent.ts";
import { MlflowServer } from "./mlflow-server.ts";
import { newestMlflow, venvProgram } from "./mlflow-versions.ts";
import { describeWith } from "./with-mlflow.ts";

type Fields = Readonly<Record<string, unknown>>;

const story = `
await track.setExperiment("digits");
await track.withRun({ runName: "search", tags: { team: "vision", n: 1 }, description: "all of *it*" }, async () => {
  for (const lr of [0.1, 0.01]) {
    await track.withRun({ runName: "lr-" + lr, nested: true }, async () => {
      track.logParam("lr", lr);
      track.logMetric("val_loss", 1 / lr, { step: 1 });
    });
  }
  track.logMetrics({ nan: NaN, inf: Infinity, whole: 3 }, { step: -2, timestamp: 1790000000000 });
  track.logParams({ a: "text", b: 7 });
  track.setTags({ gone: "1", kept: "2" });
  await track.deleteTag("gone");
  await track.logText("grüße", "notes/a.txt");
  await track.logDict({ a: [1, "é"], b: { c: null } }, "config.json");
  await track.logTable({ q: ["a", "b"], r: [1, 2] }, "t.json");
  await track.setExperimentTags({ owner: "ada" });
});
await track.withRun({ runName: "bad" }, () => { throw new RangeError("so it is"); }).catch(() => {});
track.logMetric("implicit", 1);
track.setTag("mlflow.runName", "implicit");
await track.flush();
const { runId } = track.activeRun().info;
await track.endRun("KILLED");
await track.withRun({ runId, runName: "again", tags: { late: "True" } }, () => track.logMetric("implicit", 2, { step: 1 }));`;

/** What is not the same twice: ids, times and places; what names a run by its id names it by its name. */
function comparable(runs: readonly Fields[]): Readonly<Record<string, Fields>> {
  const names = new Map(runs.map((run) => [run["run_id"], run["run_name"]]));
  return Object.fromEntries(runs.map((run) => [String(run["run_name"]), comparableRun(run, names)]));
}

function comparableRun(run: Fields, names: ReadonlyMap<unknown, unknown>): Fields {
  const { run_id: _, experiment_id: __, start_time, end_time, artifact_uri: ___, ...fields } = run;
  const tags = { ...(fields["tags"] as Record<string, string>) };
  const source = tags["mlflow.source.name"];
  for (const key of ["track.create_id", "mlflow.source.name"]) delete tags[key];
  if (tags["mlflow.parentRunId"] !== undefined)
    tags["mlflow.parentRunId"] = String(names.get(tags["mlflow.parentRunId"]));
  // Only given times are the same.
  const timeless = (point: readonly unknown[]) => [point[0], point[1] === 1_790_000_000_000, point[2]];
  const each = (map: unknown, change: (value: never) => unknown) =>
    Object.fromEntries(Object.entries(map as Record<string, never>).map(([key, value]) => [key, change(value)]));
  return {
    ...fields,
    tags,
    hasSource: /^(?:train\.mjs|fluent_story\.py)$/u.test(source ?? ""),
    hasTimes: typeof start_time === "number" && typeof end_time === "number" && end_time >= start_time,
    metrics: each(fields["metrics"], timeless),
    history: each(fields["history"], (points: readonly (readonly unknown[])[]) => points.map(timeless)),
  };
}

describeWith(newestMlflow)(`the library beside MLflow ${newestMlflow.version}`, () => {
  const mlflow = shareAgent(newestMlflow);

  test("the same lines in Python leave the same in the store, field by field, as MLflow reads it", async () => {
    await using rig = setupLibrary();
    const folder = makeTestFolder();
    // Both programs lie in one repository, of which both tell.
    copyFileSync(join(import.meta.dirname, "python/fluent_story.py"), join(rig.cwd, "fluent_story.py"));
    const git = "git init -q -b trunk && git -c user.name=a -c user.email=a@b commit -q --allow-empty -m first";
    const remote = "git remote add origin https://ada:secret@example.org/digits.git";
    expect(spawnSync("sh", ["-c", `${git} && ${remote}`], { cwd: rig.cwd }).status).toBe(0);
    const python = spawnSync(venvProgram(newestMlflow, "python"), ["fluent_story.py"], {
      cwd: rig.cwd,
      env: { ...mlflowEnvironment(folder), MLFLOW_TRACKING_URI: sqliteUri(folder) },
      encoding: "utf8",
    });
    expect(python.status, python.stderr).toBe(0);
    const done = await runProgram(rig, story, { env: { USER: "ada" } });
    expect({ code: done.code, stderr: done.stderr }).toEqual({ code: 0, stderr: "" });
    const theirs = await mlflow().ask("dump_store", { uri: sqliteUri(folder) });
    const ours = await mlflow().ask("dump_store", { uri: rig.trackingUri });
    expect(ours.runs).toHaveLength(5);
    expect(ours.runs[0]?.["tags"]).toMatchObject({ "mlflow.source.git.branch": "trunk" });
    expect(comparable(ours.runs)).toEqual(comparable(theirs.runs));
    const named = ({ experiments }: { experiments: readonly Fields[] }) =>
      experiments.map(({ name, lifecycle_stage, tags }) => ({ name, lifecycle_stage, tags }));
    expect(named(ours)).toEqual(named(theirs));
  });

  test("tables are appended to, by MLflow and by the library in turn, as .json and as .parquet", async () => {
    await using rig = setupLibrary();
    const first = await runProgram(
      rig,
      `await track.withRun({ runName: "tables" }, async (run) => {
         for (const file of ["t.json", "deep/t.parquet"]) {
           track.logTable({ q: ["a", "ü"], r: [1, 2], ok: true, at: new Date(1e12) }, file);
           track.logTable([{ q: "b" }], file);
         }
         console.log(JSON.stringify(run.info.runId));
       });`,
    );
    const [runId] = printed(first) as readonly string[];
    const python = (code: string): unknown => {
      const lines = ["import json, mlflow", `mlflow.set_tracking_uri("${rig.trackingUri}")`, code];
      const done = spawnSync(venvProgram(newestMlflow, "python"), ["-c", lines.join("\n")], {
        cwd: rig.cwd,
        env: { ...mlflowEnvironment(rig.cwd), MLFLOW_RUN_ID: "" },
        encoding: "utf8",
      });
      if (done.status !== 0) throw new Error(done.stderr);
      return JSON.parse(done.stdout.trim().split("\n").at(-1) ?? "null");
    };
    const files = '["t.json", "deep/t.parquet"]';
    python(`
with mlflow.start_run(run_id="${runId}"):
    for file in ${files} + ["theirs.json"]:
        mlflow.log_table({"q": ["c"], "r": [3]}, file)
print(1)`);
    await runProgram(
      rig,
      `await track.withRun({ runId: "${runId}" }, () => {
         for (const file of ${files}) track.logTable({ q: "d", s: 0.5 }, file);
         track.logTable({ q: "d", s: 0.5 }, "ours.json");
       });`,
    );
    const read = python(`
tables = [mlflow.load_table(file, run_ids=["${runId}"]) for file in ${files} + ["ours.json"]]
tag = mlflow.get_run("${runId}").data.tags["mlflow.loggedArtifacts"]
print(json.dumps([json.loads(t.to_json(orient="split", date_format="iso")) for t in tables] + [tag]))`);
    const at = (text: string) => [text, text, null, null, null];
    const columns = (table: unknown, name: string) => {
      const { columns: names, data } = table as { columns: string[]; data: unknown[][] };
      return data.map((row) => row[names.indexOf(name)]);
    };
    const [json, parquet, ours, tag] = read as readonly unknown[];
    for (const table of [json, parquet]) {
      expect(columns(table, "q")).toEqual(["a", "ü", "b", "c", "d"]);
      expect(columns(table, "r")).toEqual([1, 2, null, 3, null]);
      expect(columns(table, "s")).toEqual([null, null, null, null, 0.5]);
      expect(columns(table, "at").map((time) => time ?? null)).toEqual(at("2001-09-09T01:46:40.000Z"));
    }
    expect(ours).toMatchObject({ columns: ["q", "s"], data: [["d", 0.5]] });
    const entry = (path: string) => `{"path": "${path}", "type": "table"}`;
    expect(tag).toBe(`[${["t.json", "deep/t.parquet", "theirs.json", "ours.json"].map(entry).join(", ")}]`);
  });

  test("a tracking server makes the runs; what dies is ended there too", async () => {
    await using rig = setupLibrary();
    const folder = makeTestFolder();
    await using server = await MlflowServer.start(newestMlflow, sqliteUri(folder), folder);
    const env = { MLFLOW_TRACKING_URI: server.url };
    const done = await runProgram(
      rig,
      `await track.setExperiment("remote");
       await track.withRun({ runName: "whole" }, async (run) => {
         track.logParam("lr", 0.1);
         track.logMetric("loss", 1, { step: 4 });
         await track.logText("hello", "a.txt");
         console.log(JSON.stringify(run.info.runId));
       });
       const open = await track.startRun({ runName: "open" });
       track.logMetric("loss", 2);
       console.log(JSON.stringify(open.info.runId));`,
      { env },
    );
    const [wholeId, openId] = printed(done) as readonly string[];
    const runOf = async (runId: string) =>
      (await server.get("runs/get", { run_id: runId }))["run"] as { info: Fields; data: Fields };
    const whole = await runOf(wholeId ?? "");
    expect(whole.info).toMatchObject({ status: "FINISHED", run_name: "whole" });
    expect(whole.data).toMatchObject({
      params: [{ key: "lr", value: "0.1" }],
      metrics: [{ key: "loss", value: 1, step: 4 }],
    });
    const { files } = await server.get("artifacts/list", { run_id: wholeId ?? "" });
    expect(files).toMatchObject([{ path: "a.txt", file_size: 5 }]);
    expect((await runOf(openId ?? "")).info).toMatchObject({ status: "FINISHED" });
    for (const n of [1, 2]) {
      const table = `track.logTable({ n: [${n}] }, "deep/t.json")`;
      await runProgram(rig, `await track.withRun({ runId: "${openId}" }, () => { ${table}; });`, { env });
    }
    const place = `${server.url}/get-artifact?run_uuid=${openId}&path=deep/t.json`;
    expect(await (await fetch(place)).json()).toEqual({ columns: ["n"], data: [[1], [2]] });

    const path = writeProgram(rig, "inside.mjs", story);
    const inside = await rig.track(["run", "--no-system-metrics", "--", process.execPath, path], { env });
    expect(inside.code, inside.stderr).toBe(0);
    const { experiment } = await server.get("experiments/get-by-name", { experiment_name: "digits" });
    const { experiment_id: experimentId } = experiment as { experiment_id: string };
    const search = { experiment_ids: [experimentId, "0"], max_results: 100 };
    const { runs } = (await server.post("runs/search", search)) as { runs: readonly { info: Fields; data: Fields }[] };
    const statuses = Object.fromEntries(runs.map(({ info }) => [info["run_name"], info["status"]]));
    expect(statuses).toMatchObject({ "lr-0.1": "FINISHED", "lr-0.01": "FINISHED", bad: "FAILED", again: "FINISHED" });
    expect(runs.find(({ info }) => info["run_name"] === "lr-0.1")?.data).toMatchObject({
      params: [{ key: "lr", value: "0.1" }],
      metrics: [{ key: "val_loss", value: 10, step: 1 }],
    });

    const killed = startProgram(
      rig,
      `const run = await track.startRun({ runName: "killed" });
       track.logMetric("loss", 3);
       await track.flush();
       console.log(run.info.runId);
       setInterval(() => {}, 1000);`,
      { env },
    );
    await waitFor(() => killed.stdout().includes("\n"));
    killed.process.kill("SIGKILL");
    await killed.finished;
    const runId = killed.stdout().trim();
    await waitFor(async () => (await runOf(runId)).info["status"] === "KILLED", { what: "the killed run is KILLED" });
    expect((await runOf(runId)).data).toMatchObject({ metrics: [{ key: "loss", value: 3 }] });
  });

  test.for(["sqlite", "server"])(
    "below `track run`, what a program leaves open ends with the command: %s",
    { timeout: 120_000 },
    async (store) => {
      await using rig = setupLibrary();
      const folder = makeTestFolder();
      await using server =
        store === "server" ? await MlflowServer.start(newestMlflow, sqliteUri(folder), folder) : undefined;
      const uri = server?.url ?? rig.trackingUri;
      const env = { MLFLOW_TRACKING_URI: uri };
      const ends = [
        ["zero", "", "FINISHED"],
        ["three", "process.exit(3);", "FAILED"],
        ["killed", 'process.kill(process.pid, "SIGKILL"); setInterval(() => {}, 1000);', "KILLED"],
      ] as const;
      // A server takes its time: the one that nobody but the recorder can end.
      for (const [name, end, status] of server === undefined ? ends : ends.slice(-1)) {
        const path = writeProgram(
          rig,
          `${name}.mjs`,
          `await track.startRun();
         await track.startRun({ nested: true, runName: "${name}-child" });
         await track.startRun({ nested: true, runName: "${name}-grandchild" });
         track.logMetric("m", 1);
         await track.flush();
         ${end}`,
        );
        const options = ["--no-system-metrics", "--run-name", name];
        await rig.track(["run", ...options, "--", process.execPath, path], { env });
        const ended = await rig.runs(server === undefined ? uri : sqliteUri(folder));
        const statusOf = (runName: string) => ended.find(({ info }) => info.runName === runName)?.info.status;
        const all = [name, `${name}-child`, `${name}-grandchild`];
        expect(all.map(statusOf)).toEqual(all.map(() => status));
      }
    },
  );
});
