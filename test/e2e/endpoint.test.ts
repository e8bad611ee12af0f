import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import type { Run } from "../../src/entities/run.ts";
import { OpenRun } from "./open-run.ts";
import { metricsOf, paramsOf, processesIn, programs, tagsOf, TrackRig, waitFor } from "./rig.ts";

type Json = Readonly<Record<string, unknown>>;

let rig: TrackRig;
beforeEach(() => {
  rig = TrackRig.setup();
  return () => rig[Symbol.asyncDispose]();
});

/** One MLflow client of the command's; `path` is below `/api/2.0/mlflow/`. */
class Client {
  readonly #url: string;
  readonly #headers: Readonly<Record<string, string>>;

  constructor(env: Readonly<Record<string, string>>, token = env["MLFLOW_TRACKING_TOKEN"]) {
    this.#url = `${env["MLFLOW_TRACKING_URI"]}/api/2.0/mlflow/`;
    this.#headers = { "Content-Type": "application/json", Authorization: `Bearer ${token}` };
  }

  async post(path: string, body: Json): Promise<{ readonly status: number; readonly json: Json }> {
    const init = { method: "POST", headers: this.#headers, body: JSON.stringify(body) };
    const response = await fetch(`${this.#url}${path}`, init);
    return { status: response.status, json: (await response.json()) as Json };
  }

  async get(path: string): Promise<Json> {
    const response = await fetch(`${this.#url}${path}`, { headers: this.#headers });
    return (await response.json()) as Json;
  }

  async createRun(body: Json = {}): Promise<string> {
    const { json } = await this.post("runs/create", { experiment_id: "0", start_time: 1, ...body });
    return (json["run"] as { info: { run_id: string } }).info.run_id;
  }

  update(runId: string, body: Json): ReturnType<Client["post"]> {
    return this.post("runs/update", { run_id: runId, ...body });
  }

  metric(runId: string, key: string, value: number, step = 0): ReturnType<Client["post"]> {
    return this.post("runs/log-metric", { run_id: runId, key, value, step, timestamp: 1 });
  }
}

test("the command's environment leads its MLflow clients to the endpoint, and nothing of the real store's credentials", async () => {
  const own = { MLFLOW_TRACKING_AUTH: "plugin", MLFLOW_WORKSPACE: "w", no_proxy: "internal,localhost" };
  const open = await OpenRun.start(rig, [], ["run"], own);
  expect(open.env).toMatchObject({
    MLFLOW_TRACKING_URI: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/u),
    MLFLOW_TRACKING_USERNAME: "rigger",
    MLFLOW_TRACKING_PASSWORD: expect.stringMatching(/^[0-9a-f]{32}$/u),
    MLFLOW_TRACKING_TOKEN: open.env["MLFLOW_TRACKING_PASSWORD"],
    MLFLOW_RUN_CONTEXT: JSON.stringify({ "mlflow.parentRunId": open.runId }),
    TRACK_TRACKING_URI: rig.trackingUri,
    NO_PROXY: "internal,localhost,127.0.0.1",
    no_proxy: "internal,localhost,127.0.0.1",
  });
  expect(open.env).not.toHaveProperty("MLFLOW_TRACKING_AUTH");
  expect(open.env).not.toHaveProperty("MLFLOW_WORKSPACE");
  await open.end();
});

test("a shell script logs with curl and the token", async () => {
  const finished = await rig.track(["run", "--", "sh", join(programs, "log-endpoint.sh"), "3"]);
  expect(finished.code, finished.stderr).toBe(0);
  const run = await rig.run();
  expect(paramsOf(run)).toEqual({ client: "curl" });
  expect(metricsOf(run)).toEqual({ loss: 0.7 });
  expect(finished.stdout).toContain(run.info.runId);
});

test("nobody gets in without the token, and nothing is written", async () => {
  const open = await OpenRun.start(rig);
  const { status } = await new Client(open.env, "0".repeat(32)).metric(open.runId, "x", 1);
  expect(status).toBe(401);
  await open.end();
  expect(metricsOf(await rig.run())).toEqual({});
});

test("the first run that is created is the command's own; others are its children", async () => {
  const open = await OpenRun.start(rig);
  const client = new Client(open.env);
  const elder = await client.createRun({ tags: [{ key: "mlflow.parentRunId", value: open.runId }] });
  const inner = await client.createRun({ tags: [{ key: "track.create_id", value: "abc" }] });
  expect(await client.createRun({ run_name: "own", tags: [{ key: "a", value: "b" }] })).toBe(open.runId);
  const child = await client.createRun();
  await open.end();
  const runs = new Map((await rig.runs()).map((run) => [run.info.runId, run]));
  expect(runs.size).toBe(4);
  const parentOf = (runId: string): unknown => tagsOf(runs.get(runId) as Run)["mlflow.parentRunId"];
  expect([elder, inner, child].map(parentOf)).toEqual([open.runId, undefined, open.runId]);
  expect(runs.get(open.runId)?.info.runName).toBe("own");
  expect(tagsOf(runs.get(open.runId) as Run)).toMatchObject({ a: "b" });
  // Its own `track run` ends it.
  expect(runs.get(inner)?.info.status).toBe("RUNNING");
});

describe("the status that a client gives the command's run", () => {
  const endings = [
    { said: ["FAILED"], exitCode: 0, status: "FAILED" },
    { said: ["FAILED", "RUNNING"], exitCode: 0, status: "FINISHED" },
    { said: ["KILLED", "FINISHED"], exitCode: 0, status: "FINISHED" },
    { said: ["FINISHED"], exitCode: 3, status: "FAILED" },
  ];
  test.each(endings)("$said and exit code $exitCode is $status", async ({ said, exitCode, status }) => {
    const open = await OpenRun.start(rig);
    const client = new Client(open.env);
    for (const one of said) await client.update(open.runId, { status: one, end_time: 5 });
    const { info } = (await client.get(`runs/get?run_id=${open.runId}`))["run"] as { info: Json };
    expect(info["status"]).toBe(said.at(-1));
    await waitFor(async () => (await rig.run()).info.status === "RUNNING", {
      what: "it still runs for everybody else",
    });
    await open.end(exitCode);
    const run = await rig.run();
    expect(run.info.status).toBe(status);
    expect(run.info.endTime).toBeGreaterThan(5);
  });

  test("is remembered when recorder and wrapper are killed", async () => {
    const open = await OpenRun.start(rig, ["--survive"]);
    await new Client(open.env).update(open.runId, { status: "FAILED" });
    const recorder = await recorderPid();
    process.kill(open.started.process.pid ?? 0, "SIGKILL");
    process.kill(recorder, "SIGKILL");
    writeFileSync(join(rig.cwd, "end"), "0");
    await waitFor(() => processesIn(rig.root).length === 0, { what: "the command is over" });
    await rig.track(["ls"]);
    expect((await rig.run()).info.status).toBe("FAILED");
  });
});

test("what track samples itself is not taken from clients", async () => {
  const open = await OpenRun.start(rig);
  const client = new Client(open.env);
  for (const step of [1, 2]) {
    expect((await client.metric(open.runId, "system/mine", step, step)).status).toBe(200);
  }
  await client.metric(open.runId, "loss", 1);
  const { stderr } = await open.end();
  expect((await rig.run()).data.metrics.some(({ key }) => key === "system/mine")).toBe(false);
  expect(stderr.match(/system\/ metrics/gu)).toHaveLength(1);
});

test("runs are gone with their experiment at once, and come back with it", async () => {
  const open = await OpenRun.start(rig);
  const client = new Client(open.env);
  const { json } = await client.post("experiments/create", { name: "passing" });
  const tags = [{ key: "mlflow.parentRunId", value: open.runId }];
  const runId = await client.createRun({ experiment_id: json["experiment_id"], tags });
  await client.post("experiments/delete", { experiment_id: json["experiment_id"] });
  const refused = { status: 400, json: { error_code: "INVALID_PARAMETER_VALUE" } };
  expect(await client.metric(runId, "x", 1)).toMatchObject(refused);
  await client.post("experiments/restore", { experiment_id: json["experiment_id"] });
  expect((await client.metric(runId, "x", 2)).status).toBe(200);
  await client.post("experiments/delete", { experiment_id: "0" });
  expect(await client.metric(open.runId, "x", 1)).toMatchObject(refused);
  await client.post("experiments/restore", { experiment_id: "0" });
  expect((await client.metric(open.runId, "x", 3)).status).toBe(200);
  const { stderr } = await open.end();
  expect(stderr).not.toContain("the store refused what was said (log-batch): The run " + runId);
  expect(metricsOf(await ownRun())).toEqual({ x: 3 });
  expect((await rig.runs()).map(metricsOf)).toContainEqual({ x: 2 });
});

test("a param that the same client changes is refused; of two processes both values are kept", async () => {
  const open = await OpenRun.start(rig, ["-p", "lr=0.1"]);
  const client = new Client(open.env);
  const param = (key: string, value: string) => client.post("runs/log-parameter", { run_id: open.runId, key, value });
  expect((await param("opt", "adam")).status).toBe(200);
  expect(await param("opt", "sgd")).toMatchObject({ status: 400, json: { error_code: "INVALID_PARAMETER_VALUE" } });
  // The command line's is nobody's of the command.
  expect((await param("lr", "0.2")).status).toBe(200);
  await open.end();
  const run = await rig.run();
  expect(paramsOf(run)).toEqual({ lr: "0.1", opt: "adam" });
  expect(tagsOf(run)).toMatchObject({ "track.attempt.1.param.lr": "0.2" });
});

test("a new recorder serves the same port and token, and a creation that is said again is the same run", async () => {
  const open = await OpenRun.start(rig);
  const client = new Client(open.env);
  await client.metric(open.runId, "before", 1);
  const body = { start_time: 77, tags: [{ key: "who", value: "child" }] };
  const child = await client.createRun(body);
  const recorder = await recorderPid();
  process.kill(recorder, "SIGKILL");
  const again = await waitFor(() => client.createRun(body).catch(() => undefined), { what: "a new recorder" });
  expect(again).toBe(child);
  const other = await client.createRun(body);
  expect(other).not.toBe(child);
  await client.metric(open.runId, "after", 1);
  await open.end();
  expect(metricsOf(await ownRun())).toEqual({ before: 1, after: 1 });
  expect((await rig.runs()).map((run) => run.info.runId).toSorted()).toEqual([open.runId, child, other].toSorted());
});

test("after the third failure of the recorder clients fail at once", async () => {
  const open = await OpenRun.start(rig);
  const client = new Client(open.env);
  const isGivenUp = (): boolean => {
    for (const pid of recorderPids()) process.kill(pid, "SIGKILL");
    return open.started.stderr().includes("failed three times");
  };
  await waitFor(isGivenUp, { what: "it is given up" });
  const began = performance.now();
  await expect(client.metric(open.runId, "x", 1)).rejects.toThrow("fetch failed");
  expect(performance.now() - began).toBeLessThan(1000);
  expect((await open.end()).code).toBe(0);
});

test("the endpoint is there for what the command leaves running, and gone with it", async () => {
  const loop = `for i in 1 2 3; do sh ${join(programs, "log-endpoint.sh")} 1 > /dev/null; while [ ! -e go$i ]; do sleep 0.02; done; done`;
  const script = `env > environment; (${loop}) > /dev/null 2>&1 & exit 0`;
  const finished = await rig.track(["run", "--", "sh", "-c", script]);
  expect(finished.code).toBe(0);
  const text = readFileSync(join(rig.cwd, "environment"), "utf8");
  const env = Object.fromEntries(text.split("\n").map((line) => line.split(/=(.*)/su).slice(0, 2)));
  expect((await rig.run()).info.status).toBe("FINISHED");
  const client = new Client(env);
  expect((await client.metric(env["TRACK_RUN_ID"] ?? "", "late", 4)).status).toBe(200);
  for (const name of ["go1", "go2", "go3"]) writeFileSync(join(rig.cwd, name), "");
  await waitFor(() => processesIn(rig.root).length === 0, { what: "all are gone" });
  const run = await rig.run();
  expect(metricsOf(run)).toMatchObject({ late: 4, loss: 0.9 });
  expect(run.info.status).toBe("FINISHED");
  await expect(client.metric(run.info.runId, "x", 1)).rejects.toThrow("fetch failed");
});

test("a run that cannot be stored yet is answered from memory, and its artifacts wait in the spool", async () => {
  await rig.track(["run", "--", "true"]);
  const lock = rig.spawn(process.execPath, [
    join(import.meta.dirname, "../journal/programs/lock-database.ts"),
    join(rig.cwd, "mlflow.db"),
    "6000",
  ]);
  await waitFor(() => lock.stdout().includes("locked"), { what: "the lock" });
  const open = await OpenRun.start(rig);
  const client = new Client(open.env);
  expect((await client.metric(open.runId, "x", 1)).status).toBe(200);
  const { info } = (await client.get(`runs/get?run_id=${open.runId}`))["run"] as { info: Json };
  expect(info["artifact_uri"]).toBe(`mlflow-artifacts:/${open.runId}/artifacts`);
  const url = `${open.env["MLFLOW_TRACKING_URI"]}/api/2.0/mlflow-artifacts/artifacts/${open.runId}/artifacts/a/b.txt`;
  const headers = { Authorization: `Bearer ${open.env["MLFLOW_TRACKING_TOKEN"]}` };
  expect((await fetch(url, { method: "PUT", headers, body: "spooled" })).status).toBe(200);
  expect(await (await fetch(url, { headers })).text()).toBe("spooled");
  await lock.finished;
  await open.end();
  const run = (await rig.runs()).find((one) => one.info.runId === open.runId) as Run;
  expect(metricsOf(run)).toEqual({ x: 1 });
  expect(readFileSync(join(run.info.artifactUri, "a/b.txt"), "utf8")).toBe("spooled");
});

async function ownRun(): Promise<Run> {
  const own = (await rig.runs()).find((run) => tagsOf(run)["track.command"] !== undefined);
  if (own === undefined) throw new Error("no run of the wrapper's");
  return own;
}

const recorderPid = (): Promise<number> => waitFor(() => recorderPids()[0], { what: "a recorder" });

function recorderPids(): readonly number[] {
  const isRecorder = (pid: number) => readFileSync(`/proc/${pid}/cmdline`, "latin1").includes("recorder.cjs");
  return processesIn(rig.root).filter(isRecorder);
}
