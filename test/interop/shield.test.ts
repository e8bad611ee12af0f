import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openArtifactRepository } from "../../src/artifacts/open-artifact-repository.ts";
import { plainAccess } from "../../src/entities/server-access.ts";
import type { Run } from "../../src/entities/run.ts";
import { type Finished, installed, metricsOf, paramsOf, type Started, tagsOf, waitFor } from "../e2e/rig.ts";
import { mlflowEnvironment } from "./mlflow-agent.ts";
import { newestMlflow, venvProgram } from "./mlflow-versions.ts";
import { serveRigs } from "./served.ts";
import { describeWith } from "./with-mlflow.ts";

type Said = Readonly<Record<string, unknown>>;

const script = join(import.meta.dirname, "python/shield_script.py");

describeWith(newestMlflow)("MLflow inside track run before a tracking server", () => {
  const on = serveRigs("shield");

  const env = (more: Readonly<Record<string, string>> = {}) => ({
    ...mlflowEnvironment(on.rig.cwd),
    PATH: `${join(installed, "bin")}:${on.rig.env["PATH"]}`,
    HOME: join(on.rig.root, "home"),
    MLFLOW_TRACKING_URI: on.proxy.url,
    MLFLOW_EXPERIMENT_NAME: on.experiment,
    ...more,
  });
  const start = (name: string, more = {}, options: readonly string[] = []): Started =>
    on.rig.start(["run", ...options, "--", venvProgram(newestMlflow, "python"), script, name], { env: env(more) });
  const isAt = (place: string) =>
    waitFor(() => existsSync(join(on.rig.cwd, place)), { timeoutMs: 60_000, what: place });
  const goOn = (place: string): void => writeFileSync(join(on.rig.cwd, `${place}.on`), "");
  async function pass(started: Started, place: string): Promise<void> {
    await Promise.race([isAt(place), started.finished.then(({ stderr }) => Promise.reject(new Error(stderr)))]);
    goOn(place);
  }
  function saidBy({ stdout, stderr, code }: Finished): Said {
    const line = stdout.trim().split("\n").at(-1) ?? "";
    if (code !== 0 || !line.startsWith("{")) throw new Error(`exit ${code}: ${stderr}`);
    return JSON.parse(line) as Said;
  }

  const ownOf = (all: readonly Run[]): Run => {
    const own = all.filter((run) => tagsOf(run)["track.command"] !== undefined);
    if (own[0] === undefined || own.length > 1) throw new Error(`${own.length} runs of the command`);
    return own[0];
  };
  const artifactsAt = (uri: string) => openArtifactRepository(uri, { access: plainAccess(on.server.url) });
  async function textAt(uri: string, file: string): Promise<string> {
    await artifactsAt(uri).downloadArtifact(file, join(on.rig.cwd, "fetched"));
    return readFileSync(join(on.rig.cwd, "fetched"), "utf8");
  }

  /** All of `family()` is on the server, once, and the ids of its model's own description are the server's. */
  async function checkFamily(said: Said): Promise<Run> {
    expect(said).toMatchObject({
      seen: [said["run_id"], 0.01, "0.1", "vision"],
      best: [
        ["trial 1", 1, "FINISHED"],
        ["trial 0", 0, "FINISHED"],
      ],
      named: [[said["run_id"], "RUNNING"]],
      sampled: [0, 10, 20, 30, 40, 50, 60, 70, 80, 99].map((step) => [said["run_id"], step]),
      history: 100,
      artifacts: ["notes/a.txt"],
      model: ["net", said["run_id"]],
    });
    const [first, second] = said["children"] as string[];
    expect(said["child"]).toEqual([second, { trial: "1" }, said["run_id"]]);
    const all = await on.runs();
    const own = ownOf(all);
    expect(all).toHaveLength(3);
    expect(own.info.status).toBe("FINISHED");
    expect(paramsOf(own)).toEqual({ lr: "0.1", depth: "3" });
    expect(tagsOf(own)).toMatchObject({ team: "vision", "track.exit_code": "0" });
    expect(tagsOf(own)["gone"]).toBeUndefined();
    await using store = await on.rig.openStore(on.server.url);
    const { items } = await store.getMetricHistory(own.info.runId, "loss");
    expect(items.map(({ step }) => step)).toEqual(Array.from({ length: 100 }, (_, step) => step));
    expect(await textAt(own.info.artifactUri, "notes/a.txt")).toBe("hello");
    const children = all.filter((run) => run !== own).toSorted((a, b) => (a.info.runName < b.info.runName ? -1 : 1));
    for (const [trial, child] of children.entries()) {
      expect(child.info).toMatchObject({ runName: `trial ${trial}`, status: "FINISHED" });
      expect(metricsOf(child)).toEqual({ score: trial });
      expect(tagsOf(child)["mlflow.parentRunId"]).toBe(own.info.runId);
      expect(tagsOf(child)["track.offline_id"]).toBe([first, second][trial]);
      expect(await textAt(child.info.artifactUri, "trial.txt")).toBe(String(trial));
    }
    const { items: models } = await store.searchLoggedModels({ experimentIds: [own.info.experimentId] });
    expect(models.map(({ name, status, sourceRunId }) => [name, status, sourceRunId])).toEqual([
      ["net", "LOGGED_MODEL_READY", own.info.runId],
    ]);
    const [model] = models;
    const description = await textAt(model?.artifactLocation ?? "", "MLmodel");
    expect(description).toContain(`model_id: ${model?.modelId}`);
    expect(description).toContain(`run_id: ${own.info.runId}`);
    expect(description).not.toContain(String(said["model_id"]));
    expect(own.outputs.models.map(({ modelId }) => modelId)).toEqual([model?.modelId]);
    return own;
  }

  test("online the family is on the server, under the id that the command was given", async () => {
    const started = start("family");
    await pass(started, "start");
    await pass(started, "end");
    const said = saidBy(await started.finished);
    const own = await checkFamily(said);
    expect(said["run_id"]).toBe(own.info.runId);
    await waitFor(() => on.rig.journalNames().length === 0);
  });

  test.each(
    onlySomeUnlessFull([
      ["is away", { kind: "refuse" }],
      ["asks for patience", { kind: "status", status: 429, headers: { "Retry-After": "1" } }],
      ["hangs", { kind: "hang" }],
      ["answers 500", { kind: "status", status: 500, body: "oops" }],
      ["resets connections", { kind: "reset" }],
    ] as const),
  )("a server that %s in the middle is never seen, and gets everything once", async (_title, fault) => {
    const started = start("family");
    await isAt("start");
    await on.proxy.always(fault);
    goOn("start");
    await Promise.race([isAt("end"), started.finished]);
    await on.proxy.always();
    goOn("end");
    const said = saidBy(await started.finished);
    const own = await checkFamily(said);
    expect(said["run_id"]).toBe(own.info.runId);
    await waitFor(() => on.rig.journalNames().length === 0, { timeoutMs: 20_000 });
  });

  test("a server that is away at the start gets the family when it is back, its ids mapped", async () => {
    await on.proxy.always({ kind: "refuse" });
    const started = start("family");
    await pass(started, "start");
    await Promise.race([isAt("end"), started.finished]);
    await on.proxy.always();
    goOn("end");
    const said = saidBy(await started.finished);
    const own = await checkFamily(said);
    expect(said["run_id"]).not.toBe(own.info.runId);
    expect(tagsOf(own)["track.offline_id"]).toBe(said["run_id"]);
  });

  test("what is not the family's goes to the server and comes from it", async () => {
    await using store = await on.rig.openStore(on.server.url);
    const { info } = await store.createRun({ experimentId: "0", userId: "u", startTime: 1, runName: "o", tags: [] });
    const said = saidBy(await start("outside", { OTHER_RUN: info.runId }).finished);
    const own = ownOf(await on.runs());
    expect(said).toMatchObject({
      run_id: own.info.runId,
      version: [own.info.runId, `models:/${String(said["model_id"])}`, null],
      found: [said["child"]],
      parent: own.info.runId,
      traces: 1,
      other: [{ y: 2 }, ["other.txt"]],
      predicted: [1, 2],
      read: "other",
    });
    expect(metricsOf(await store.getRun(info.runId))).toEqual({ y: 2 });
  });

  test("while the server is away, reads of other things fail soon; experiments chosen in code are made later", async () => {
    await using store = await on.rig.openStore(on.server.url);
    const { info } = await store.createRun({ experimentId: "0", userId: "u", startTime: 1, runName: "o", tags: [] });
    const started = start("away", { OTHER_RUN: info.runId });
    await isAt("start");
    await on.proxy.always({ kind: "refuse" });
    goOn("start");
    await Promise.race([isAt("end"), started.finished]);
    await on.proxy.always();
    goOn("end");
    const said = saidBy(await started.finished);
    expect([said["answer"], said["found"]]).toEqual(["TEMPORARILY_UNAVAILABLE", "TEMPORARILY_UNAVAILABLE"]);
    expect(said["took"]).toBeGreaterThan(4);
    expect(said["took"]).toBeLessThan(8);
    const own = ownOf(await on.runs());
    expect(metricsOf(own)).toEqual({ x: 1 });
    const [second, ...none] = await on.runs("chosen offline");
    expect(none).toEqual([]);
    expect(metricsOf(second as Run)).toEqual({ z: 3 });
  });

  test("an inner track run goes the outer one's way", async () => {
    const inner = 'track run -n inner -- sh -c \'track log metric deep=1; printf "%s" "$TRACK_TRACKING_URI" > uri\'';
    const started = on.rig.start(
      ["run", "-n", "outer", "--", "sh", "-c", `touch up; while [ ! -e on ]; do sleep 0.02; done; ${inner}`],
      {
        env: env(),
      },
    );
    await isAt("up");
    await on.proxy.always({ kind: "refuse" });
    writeFileSync(join(on.rig.cwd, "on"), "");
    await isAt("uri");
    await on.proxy.always();
    const { code, stderr } = await started.finished;
    expect(code, stderr).toBe(0);
    await waitFor(() => on.rig.journalNames().length === 0, { timeoutMs: 20_000 });
    const all = await on.runs();
    const byName = (name: string) => all.find(({ info }) => info.runName === name) as Run;
    expect(all).toHaveLength(2);
    expect(byName("inner").info.status).toBe("FINISHED");
    expect(metricsOf(byName("inner"))).toEqual({ deep: 1 });
    expect(tagsOf(byName("inner"))["mlflow.parentRunId"]).toBe(byName("outer").info.runId);
    expect(readFileSync(join(on.rig.cwd, "uri"), "utf8")).toBe(on.proxy.url);
  });
});

/** Each costs some seconds. */
function onlySomeUnlessFull<Case>(cases: readonly Case[]): readonly Case[] {
  return process.env["TRACK_TEST_FULL"] === undefined ? cases.slice(0, 2) : cases;
}
