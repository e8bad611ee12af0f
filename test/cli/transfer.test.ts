import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { trackTags } from "../../src/entities/tag-keys.ts";
import { readPlace, readStartTicks } from "../../src/util/proc.ts";
import { CommandRig, idOf, now } from "./command-rig.ts";

let from: CommandRig;
let to: CommandRig;

beforeEach(() => {
  from = new CommandRig();
  to = new CommandRig();
});

afterEach(async () => {
  await from[Symbol.asyncDispose]();
  await to[Symbol.asyncDispose]();
});

const runId = idOf("aaaa1");
const metric = (value: number, step: number) => ({ key: "loss", value, step, timestamp: now + step });

async function seed(): Promise<void> {
  await from.seed({
    runId,
    runName: "one",
    startTime: now - 60_000,
    endTime: now,
    status: "FAILED",
    metrics: Array.from({ length: 2500 }, (_, step) => metric(step === 7 ? Number.NaN : 1 / (step + 1), step)),
    params: [{ key: "lr", value: "0.1" }],
    tags: [{ key: "team", value: "vision" }],
  });
}

async function exported(...args: string[]): Promise<string> {
  const { stdout, exitCode } = await from.track(["export", runId, ...args]);
  expect(exitCode).toBe(0);
  return stdout;
}

async function importText(text: string, ...args: string[]) {
  writeFileSync(join(to.folder, "in.ndjson"), text);
  return await to.track(["import", "in.ndjson", ...args]);
}

async function readThere() {
  await using store = await to.openStore("read");
  return { run: await store.getRun(runId), history: (await store.getMetricHistory(runId, "loss")).items };
}

describe("export", () => {
  test("one line for the run, the history in pages of 1000, one line for the end", async () => {
    await seed();
    const lines = (await exported())
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(
      lines.map(({ type, run_id: id, metrics }) => [type, id, (metrics as unknown[] | undefined)?.length]),
    ).toEqual([
      ["run", undefined, undefined],
      ["metrics", runId, 1000],
      ["metrics", runId, 1000],
      ["metrics", runId, 500],
      ["end", runId, undefined],
    ]);
    expect(lines[0]).toMatchObject({
      version: 1,
      experiment: { name: "Default" },
      run: { info: { run_id: runId, status: "FAILED" } },
    });
  });

  test("artifacts by name, or copied", async () => {
    await seed();
    mkdirSync(join(from.folder, "made"));
    writeFileSync(join(from.folder, "made/a.txt"), "12345");
    await from.track(["log", "artifact", "made", "--run", runId]);
    expect(await exported("--list-artifacts")).toContain(
      `{"type":"artifact","run_id":"${runId}","path":"made/a.txt","file_size":5}\n`,
    );
    await exported("--artifacts", "files");
    expect(readFileSync(join(from.folder, "files", runId, "made/a.txt"), "utf8")).toBe("12345");
    expect(await importText(await exported(), "--artifacts", join(from.folder, "files"))).toMatchObject({
      exitCode: 0,
    });
    expect((await to.track(["artifacts", "ls", runId, "-r"])).lines).toEqual(["made/a.txt\t5"]);
  });

  test("an unknown run: nothing is written", async () => {
    await seed();
    expect(await from.track(["export", runId, "nobody"])).toMatchObject({ exitCode: 1, stdout: "" });
  });
});

describe("import of an export", () => {
  test("the run as it was, and again no doubles", async () => {
    await seed();
    const text = await exported();
    expect(await importText(text)).toMatchObject({
      exitCode: 0,
      stdout: "",
      stderr: "track: imported: 1 new, 0 there before, 0 skipped\n",
    });
    const first = await readThere();
    expect(first.run.info).toMatchObject({
      runName: "one",
      status: "FAILED",
      startTime: now - 60_000,
      endTime: now,
      userId: "ada",
    });
    expect(first.run.data.params).toEqual([{ key: "lr", value: "0.1" }]);
    expect(first.history).toHaveLength(2500);
    expect(first.history[7]?.value).toBeNaN();
    expect((await importText(text, "--json")).stdout).toBe(
      `{"runs":[{"source_run_id":"${runId}","run_id":"${runId}","result":"known"}]}\n`,
    );
    expect(await readThere()).toEqual(first);
  });

  test("one that is cut short says so, and a whole one completes it", async () => {
    await seed();
    const text = await exported();
    const half = text.split("\n").slice(0, 2).join("\n");
    expect(await importText(half)).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining(`track: in.ndjson is cut short: run ${runId} has no end\n`),
    });
    const torn = await readThere();
    expect([torn.run.info.status, torn.history.length]).toEqual(["RUNNING", 1000]);
    expect((await importText(text)).exitCode).toBe(0);
    const whole = await readThere();
    expect([whole.run.info.status, whole.history.length]).toEqual(["FAILED", 2500]);
  });

  test("what was changed here since stays", async () => {
    await seed();
    const text = await exported();
    await importText(text);
    await to.track(["log", "tag", "team=audio", "extra=1", "--run", runId]);
    await from.track(["log", "tag", "later=2", "--run", runId]);
    expect((await importText(await exported())).exitCode).toBe(0);
    const tags = Object.fromEntries((await readThere()).run.data.tags.map(({ key, value }) => [key, value]));
    expect(tags).toMatchObject({ team: "audio", extra: "1", later: "2" });
    const other = text.replace('{"key":"lr","value":"0.1"}', '{"key":"lr","value":"9"},{"key":"new","value":"1"}');
    expect((await importText(other)).stderr).toContain("track: run aaaa1000: param lr stays 0.1, the source has 9\n");
    expect((await readThere()).run.data.params).toEqual([
      { key: "lr", value: "0.1" },
      { key: "new", value: "1" },
    ]);
    // A run that was exported while it ran does not open one that has ended since.
    expect((await importText(text.replace('"status":"FAILED"', '"status":"RUNNING"'))).exitCode).toBe(0);
    expect((await readThere()).run.info.status).toBe("FAILED");
  });

  test("a deleted run comes deleted; one that is deleted here stays so and is told", async () => {
    await seed();
    const text = await exported();
    await from.track(["rm", runId]);
    const deleted = await exported();
    await importText(deleted);
    expect((await readThere()).run.info.lifecycleStage).toBe("deleted");
    expect((await importText(deleted)).stderr).toContain("0 new, 1 there before, 0 skipped");
    expect(await importText(text)).toMatchObject({
      exitCode: 1,
      stderr: `track: not imported: ${runId}: it is deleted here\ntrack: imported: 0 new, 0 there before, 1 skipped\n`,
    });
  });

  test("a deleted experiment here takes nothing, a run that is alive here is left alone", async () => {
    await seed();
    const text = await exported();
    await to.track(["experiments", "create", "gone"]);
    await to.track(["experiments", "delete", "gone"]);
    const result = await importText(text.replace('"name":"Default"', '"name":"gone"'));
    expect(result).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining("experiment gone is deleted here: track experiments restore 1"),
    });
    const command = { pid: process.pid, startTicks: readStartTicks(process.pid) ?? 0 };
    const value = JSON.stringify({ ...readPlace(), command });
    await to.seed({ runId, tags: [{ key: trackTags.process, value }] });
    expect(await importText(text)).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining(`not imported: ${runId}: it is alive`),
    });
  });

  test.each([
    ["rubbish", "in.ndjson:1: no JSON"],
    ["[1]", "in.ndjson:1: no JSON object"],
    ['\n{"type":"run"}', "in.ndjson:2: not MLflow's REST format: run_uuid is missing or of another kind"],
    ['{"type":"run","version":2}', "in.ndjson:1: it was exported by a newer track (format 2)"],
    ['{"run_id":"x"}', "in.ndjson:1: not MLflow's REST format: type is missing or of another kind"],
  ])("%j names the line", async (text, message) => {
    expect(await importText(text)).toMatchObject({
      exitCode: 1,
      stdout: "",
      stderr: `track: ${message}\nhint: it takes what \`track export\` wrote, a folder \`mlruns\`, or a tracking URI\n`,
    });
  });

  test("records of a kind that a newer track may have, and records of no run, are passed over", async () => {
    expect(
      await importText('{"type":"poem","run_id":"x"}\n{"type":"metrics","run_id":"x","metrics":[]}\n'),
    ).toMatchObject({ exitCode: 0 });
  });
});

describe("import of other places", () => {
  test("another database, by URI or path; not itself", async () => {
    await seed();
    const path = join(from.folder, "mlflow.db");
    expect((await to.track(["import", `sqlite:///${path}`])).stderr).toContain("1 new");
    expect((await to.track(["import", path])).stderr).toContain("0 new, 1 there before");
    expect(await from.track(["import", "sqlite:///mlflow.db"])).toMatchObject({
      exitCode: 2,
      stderr:
        "track: the runs are there already: sqlite:///mlflow.db\nhint: --tracking-uri names where they should go\n",
    });
  });

  test("what is not there, and a folder without experiments; nothing is created for it", async () => {
    mkdirSync(join(to.folder, "empty"));
    expect((await to.track(["import", "nothing"])).stderr).toContain("cannot read nothing: ENOENT");
    expect(await to.track(["import", "empty"])).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining("hint: name the folder that holds 0/meta.yaml and its like, often mlruns\n"),
    });
    expect((await to.track(["import", "sqlite:///none.db"])).exitCode).toBe(1);
    expect(existsSync(join(to.folder, "mlflow.db"))).toBe(false);
    expect(existsSync(join(to.folder, "none.db"))).toBe(false);
  });

  test("an mlruns folder of early days: names and ids under other keys, metrics without a step", async () => {
    const write = (path: string, text: string): void => {
      const file = join(from.folder, "mlruns", path);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, text);
    };
    write("0/meta.yaml", "artifact_location: /gone/0\nexperiment_id: '0'\nlifecycle_stage: active\nname: Default\n");
    write(
      `0/${runId}/meta.yaml`,
      `artifact_uri: /gone/0/${runId}/artifacts\nend_time: 2000\nexperiment_id: 0\nname: early\nrun_uuid: ${runId}\nstart_time: 1000\nstatus: 3\ntags: []\nuser_id: bob\n`,
    );
    write(`0/${runId}/metrics/val/loss`, "1000 0.5\n2000 0.25\n30");
    write(`0/${runId}/params/lr`, "0.1");
    write(`0/${runId}/artifacts/a.txt`, "12345");
    expect((await to.track(["import", join(from.folder, "mlruns")])).stderr).toContain("1 new");
    const { run } = await readThere();
    expect(run.info).toMatchObject({
      runName: "early",
      userId: "bob",
      status: "FINISHED",
      startTime: 1000,
      endTime: 2000,
    });
    await using store = await to.openStore("read");
    expect((await store.getMetricHistory(runId, "val/loss")).items.map(({ value, step }) => [value, step])).toEqual([
      [0.5, 0],
      [0.25, 0],
    ]);
    expect((await to.track(["artifacts", "ls", runId])).lines).toEqual(["a.txt\t5"]);

    write(`0/${runId}/meta.yaml`, "status: {a: 1}\n");
    expect(await to.track(["import", join(from.folder, "mlruns")])).toMatchObject({
      exitCode: 1,
      stderr: `track: ${join(from.folder, "mlruns", "0", runId, "meta.yaml")}: line 1 is not what MLflow writes\n`,
    });
    rmSync(join(from.folder, "mlruns"), { recursive: true });
  });
});
