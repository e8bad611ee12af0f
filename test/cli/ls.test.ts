import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { textWidth } from "../../src/util/text-width.ts";
import { CommandRig, idOf, now } from "./command-rig.ts";

let rig: CommandRig;

beforeEach(() => {
  rig = new CommandRig();
});

afterEach(async () => {
  await rig[Symbol.asyncDispose]();
});

const metric = (key: string, value: number) => ({ key, value, step: 0, timestamp: now });
const child = (parent: string) => [{ key: "mlflow.parentRunId", value: idOf(parent) }];

describe("--columns", () => {
  beforeEach(async () => {
    await rig.seed({
      runId: idOf("aaaa1"),
      runName: "a",
      metrics: [metric("train/loss", 0.5), metric("lr", 0.1), metric("val/f1", 0.9), metric("test/f1", 0.8)],
      params: [
        { key: "lr", value: "0.01" },
        { key: "batch", value: "32" },
      ],
      tags: [
        { key: "track.command", value: '["python","train.py","--name","a b"]' },
        { key: "mlflow.source.git.commit", value: "0123456789abcdef" },
        { key: "mlflow.source.git.dirty", value: "true" },
        { key: "track.host", value: "box" },
        { key: "team.name", value: "vision" },
      ],
    });
  });

  const cells = async (columns: string) => (await rig.track(["ls", "--columns", columns])).stdout;

  test("a key alone is found where it is clear, whole or as the last part of a longer one", async () => {
    expect(await cells("batch,loss,team.name,name")).toBe("32\t0.5\tvision\ta\n");
  });

  test("a key that can be more than one is a mistake that names them", async () => {
    expect(await rig.track(["ls", "--columns", "lr"])).toMatchObject({
      exitCode: 2,
      stdout: "",
      stderr: "track: --columns lr can be more than one\nhint: one of metrics.lr, params.lr\n",
    });
    expect((await rig.track(["ls", "--columns", "f1"])).stderr).toContain(
      "hint: one of metrics.val/f1, metrics.test/f1",
    );
  });

  test("what MLflow and track keep in tags has names of its own", async () => {
    expect(await cells("attributes.status,command,commit,host")).toBe(
      "RUNNING\tpython train.py --name 'a b'\t0123456789abcdef\tbox\n",
    );
    const { lines } = await rig.track(["ls", "--columns", "run,git,start"], { columns: 80 });
    expect(lines).toEqual(["RUN       COMMIT       STARTED", "aaaa1000  0123456789*  1 min ago"]);
  });

  test("where nothing is listed a key is not judged, a prefix is", async () => {
    expect(await rig.track(["ls", "--columns", "nope", "--status", "failed"])).toMatchObject({
      exitCode: 0,
      stdout: "",
    });
    for (const name of ["metrics.", "tags.", "attr.nope"]) {
      expect((await rig.track(["ls", "--columns", name])).stderr).toContain(`track: --columns is not known: ${name}\n`);
    }
  });
});

describe("--tree", () => {
  beforeEach(async () => {
    await rig.seed(
      { runId: idOf("aaaa1"), runName: "sweep", startTime: now - 100_000 },
      { runId: idOf("bbbb1"), runName: "first", startTime: now - 90_000, tags: child("aaaa1"), status: "FAILED" },
      { runId: idOf("cccc1"), runName: "fold", startTime: now - 80_000, tags: child("bbbb1") },
      { runId: idOf("dddd1"), runName: "alone", startTime: now - 70_000 },
      { runId: idOf("eeee1"), runName: "second", startTime: now - 60_000, tags: child("aaaa1") },
    );
  });

  const columns = ["--columns", "name,status"];

  test("draws children below their parents", async () => {
    expect((await rig.track(["ls", "--tree", ...columns], { columns: 60 })).lines).toEqual([
      "NAME        STATUS",
      "sweep       RUNNING",
      "├─ second   RUNNING",
      "└─ first    FAILED",
      "   └─ fold  RUNNING",
      "alone       RUNNING",
    ]);
    const ascii = await rig.track(["ls", "--tree", ...columns], { columns: 60, isUtf8: false });
    expect(ascii.lines[3]).toBe("`- first    FAILED");
  });

  test("adds the parents of what was found, and no deleted ones", async () => {
    expect((await rig.track(["ls", "--tree", "-n", "1", ...columns], { columns: 60 })).lines.slice(1)).toEqual([
      "sweep      RUNNING",
      "└─ second  RUNNING",
    ]);
    const failed = await rig.track(["ls", "--tree", "--status", "failed", ...columns], { columns: 60 });
    expect(failed.lines.slice(1)).toEqual(["sweep     RUNNING", "└─ first  FAILED"]);
    await rig.track(["rm", "--force", "aaaa"]);
    const orphans = await rig.track(["ls", "--tree", "--columns", "name"], { columns: 60 });
    expect(orphans.lines.slice(1)).toEqual(["second", "alone", "first", "└─ fold"]);
  });

  test("in a pipe tells depth and parent instead, and leaves names alone", async () => {
    expect((await rig.track(["ls", "--tree", "--columns", "name"])).lines).toEqual([
      "sweep\t0\t",
      `second\t1\t${idOf("aaaa1")}`,
      `first\t1\t${idOf("aaaa1")}`,
      `fold\t2\t${idOf("bbbb1")}`,
      "alone\t0\t",
    ]);
    const { stdout } = await rig.track(["ls", "--tree", "--json"]);
    const { runs } = JSON.parse(stdout) as { runs: { info: { run_name: string } }[] };
    expect(runs.map(({ info }) => info.run_name)).toEqual(["sweep", "second", "first", "fold", "alone"]);
  });
});

test("a run of another host that has given no sign of life is said to be silent, on a terminal alone", async () => {
  await rig.seed({
    runId: idOf("aaaa1"),
    runName: "a",
    tags: [{ key: "track.heartbeat", value: String(now - 600_000) }],
  });
  const { lines } = await rig.track(["ls"], { columns: 120 });
  expect(lines[1]).toContain("RUNNING  silent for 10m00s");
  expect((await rig.track(["ls", "--columns", "progress"])).stdout).toBe("\n");
});

test("wide, combining and control characters keep the columns aligned and harmless", async () => {
  await rig.seed(
    {
      runId: idOf("aaaa1"),
      runName: "日本語の実験",
      startTime: now - 2,
      params: [{ key: "x", value: "👩‍👩‍👧" }],
    },
    {
      runId: idOf("bbbb1"),
      runName: "e\u0301te\u0301 🚀",
      startTime: now - 3,
      params: [{ key: "x", value: "b" }],
    },
    {
      runId: idOf("cccc1"),
      runName: "\u001b]0;pwned\u0007",
      startTime: now - 4,
      params: [{ key: "x", value: "c" }],
    },
  );
  const { stdout, lines } = await rig.track(["ls", "--columns", "name,params.x,status"], { columns: 60 });
  expect(stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/u);
  expect(lines).toEqual([
    "NAME              x   STATUS",
    "日本語の実験      👩‍👩‍👧  RUNNING",
    "e\u0301te\u0301 🚀            b   RUNNING",
    "\\x1b]0;pwned\\x07  c   RUNNING",
  ]);
  for (const columns of [30, 40]) {
    for (const line of (await rig.track(["ls"], { columns })).lines)
      expect(textWidth(line)).toBeLessThanOrEqual(columns);
  }
});

test("5,000 runs with 200 metrics each are listed in a moment, on a terminal too", async () => {
  await rig.seed({
    runId: idOf("aaaa1"),
    runName: "one",
    metrics: Array.from({ length: 200 }, (_, index) => metric(`metric_${String(index).padStart(3, "0")}`, index)),
  });
  using database = new DatabaseSync(join(rig.folder, "mlflow.db"));
  const numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4999)";
  for (const table of ["runs", "latest_metrics"]) {
    const names = database
      .prepare("SELECT name FROM pragma_table_info(?)")
      .all(table)
      .map(({ name }) => `"${String(name)}"`);
    const values = names.map((name) => (name === '"run_uuid"' ? "printf('f%031d', i)" : name));
    database.exec(`INSERT INTO ${table} (${names.join(", ")}) ${numbers} SELECT ${values.join(", ")} FROM ${table}, n`);
  }
  const began = performance.now();
  const { lines } = await rig.track(["ls", "-n", "5000"], { columns: 100 });
  // Reading all of their data takes five seconds and more.
  expect(performance.now() - began).toBeLessThan(3000);
  expect(lines).toHaveLength(5001);
  expect(lines[0]).toMatch(
    /^RUN {7}NAME {2}STATUS {3}EXPERIMENT {2}STARTED {4}DURATION {2}metric_000 {2}metric_001 {2}metric_002$/u,
  );
  for (const line of lines) expect(textWidth(line)).toBeLessThanOrEqual(100);
}, 60_000);
