import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { isHighestBest } from "../../src/cli/run-children.ts";
import { textWidth } from "../../src/util/text-width.ts";
import { runToJson } from "../../src/wire/rest-json.ts";
import { CommandRig, idOf, now } from "./command-rig.ts";

let rig: CommandRig;
const parent = idOf("aaaa1");

beforeEach(async () => {
  process.env["TZ"] = "UTC";
  rig = new CommandRig();
  await rig.seed(
    {
      runId: parent,
      runName: "gifted-otter-77",
      startTime: now - 200_000,
      endTime: now - 187_600,
      status: "FAILED",
      params: [{ key: "lr", value: "0.01" }],
      metrics: [
        ...[0.9, 0.5, 0.25].map((value, step) => ({ key: "loss", value, step, timestamp: now + step })),
        { key: "system/cpu_utilization_percentage", value: 97.5, step: 0, timestamp: now },
      ],
      tags: [
        { key: "team", value: "vision" },
        { key: "note", value: "one\ntwo\u001b[31m" },
        { key: "track.command", value: JSON.stringify(["python", "train.py", "--name", "a b", "it's"]) },
        { key: "track.cwd", value: "/home/ada/x" },
        { key: "track.host", value: "box" },
        { key: "track.exit_code", value: "3" },
        { key: "track.attempt", value: "2" },
        { key: "track.process", value: "{}" },
        { key: "track.version", value: "0.1.0" },
        { key: "mlflow.user", value: "ada" },
        { key: "mlflow.note.content", value: "a test" },
        { key: "mlflow.source.git.commit", value: "0123456789abcdef0123" },
        { key: "mlflow.source.git.branch", value: "main" },
        { key: "mlflow.source.git.dirty", value: "True" },
      ],
    },
    { runId: idOf("bbbb1"), runName: "child", tags: [{ key: "mlflow.parentRunId", value: parent }] },
  );
  await using store = await rig.openStore("read");
  const folder = (await store.getRun(parent)).info.artifactUri;
  mkdirSync(join(folder, "console"), { recursive: true });
  writeFileSync(join(folder, "console", "attempt-1.log"), "x".repeat(1500));
});

afterEach(async () => {
  await rig[Symbol.asyncDispose]();
});

test("in a pipe each fact is a line of its own, the kind first", async () => {
  const { exitCode, stderr, lines } = await rig.track(["show", "gifted-otter-77"]);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  expect(lines).toEqual(
    expect.arrayContaining([
      `run\trun_id\t${parent}`,
      "run\tstatus\tFAILED",
      "run\texperiment\tDefault",
      "run\tstart_time\t2026-05-01T11:56:40.000Z",
      "run\tend_time\t2026-05-01T11:56:52.400Z",
      "param\tlr\t0.01",
      "metric\tloss\t0.25\t2\t2026-05-01T12:00:00.002Z\t0.25\t0.9",
      "tag\tnote\tone\\ntwo\\x1b[31m",
      "tag\ttrack.process\t{}",
      "artifact\tconsole/attempt-1.log\t1500",
      `child\t${idOf("bbbb1")}\tchild\tRUNNING`,
    ]),
  );
});

describe("on a terminal", () => {
  test("the page has facts, params, metrics with extremes and a line, tags, artifacts, children", async () => {
    const { lines } = await rig.track(["show", "@2"], { columns: 80 });
    expect(lines).toEqual([
      "gifted-otter-77  FAILED",
      `  run id       ${parent}`,
      "  experiment   Default (id 0)",
      "  started      2026-05-01 11:56:40 (3 min ago)",
      "  duration     12.4 s",
      "  attempt      2",
      "  ended by     exit code 3",
      "  command      python train.py --name 'a b' 'it'\\''s'",
      "  folder       /home/ada/x",
      "  by           ada on box",
      "  git          0123456789ab (main, with changes)",
      "  description  a test",
      expect.stringMatching(/^ {2}artifacts {4}\/.*…?$/u),
      "",
      "Params",
      "  lr  0.01",
      "",
      "Metrics",
      "  METRIC  LAST  STEP   MIN  MAX",
      "  loss    0.25     2  0.25  0.9  █▄▁",
      "",
      "System metrics",
      "  METRIC                             LAST   MIN   MAX",
      "  system/cpu_utilization_percentage  97.5  97.5  97.5",
      "",
      "Tags",
      "  note           one\\ntwo\\x1b[31m",
      "  team           vision",
      "  track.version  0.1.0",
      "",
      "Artifacts",
      "  FILE                     SIZE",
      "  console/attempt-1.log  1.5 kB",
      "",
      "Children",
      "  RUN       NAME   STATUS   DURATION",
      "  bbbb1000  child  RUNNING     1m00s",
    ]);
  });

  test("no line is wider than the terminal, down to 40 columns", async () => {
    for (const columns of [40, 55, 70]) {
      const { lines } = await rig.track(["show", parent], { columns });
      expect(lines.length).toBeGreaterThan(20);
      for (const line of lines) expect(textWidth(line), line).toBeLessThanOrEqual(columns);
    }
  });
});

test("--json is one document, the run in MLflow's REST shape", async () => {
  await using store = await rig.openStore("read");
  const { stdout } = await rig.track(["show", "aaaa", "--json"]);
  expect(JSON.parse(stdout)).toEqual({ run: JSON.parse(JSON.stringify(runToJson(await store.getRun(parent)))) });
});

test("a deleted run is shown by its id, and said to be deleted", async () => {
  await rig.track(["rm", "aaaa"]);
  expect((await rig.track(["show", "aaaa"], { columns: 80 })).stdout).toContain(
    "stage        deleted (track restore brings it back)",
  );
  expect((await rig.track(["show", "gifted-otter-77"])).stderr).toBe(
    "track: no such run: gifted-otter-77\nhint: it is deleted: track restore aaaa1000\n",
  );
});

test("artifacts at a place that cannot be listed spoil nothing else", async () => {
  await rig.track(["experiments", "create", "far", "--artifact-location", "s3://bucket/x"]);
  await rig.seed({ runId: idOf("cccc1"), runName: "far", experimentId: "1", params: [{ key: "lr", value: "1" }] });
  const page = await rig.track(["show", "cccc"], { columns: 100 });
  expect(page).toMatchObject({ exitCode: 0, stderr: "" });
  expect(page.stdout).toContain("  lr  1\n");
  expect(page.stdout).toContain("\nArtifacts\n  cannot be listed: artifacts at s3: locations are not supported");
});

test("system metrics have the means and peaks that the recorder took", async () => {
  await rig.seed({
    runId: idOf("dddd1"),
    runName: "measured",
    metrics: [12, 90].map((value, step) => ({ key: "system/cpu_utilization_percentage", value, step, timestamp: now })),
    tags: [
      { key: "track.mean.cpu_utilization_percentage", value: "43.2" },
      { key: "track.peak.cpu_utilization_percentage", value: "98.7" },
    ],
  });
  const { lines } = await rig.track(["show", "dddd"], { columns: 100 });
  expect(lines.slice(lines.indexOf("System metrics") + 1, lines.indexOf("System metrics") + 3)).toEqual([
    "  METRIC                             LAST  MEAN  MIN   MAX",
    "  system/cpu_utilization_percentage    90  43.2   12  98.7  ▁█",
  ]);
});

describe("children", () => {
  const values: Readonly<Record<string, readonly [loss: number | undefined, lr: string]>> = {
    c1: [0.5, "0.1"],
    c2: [Number.NaN, "0.2"],
    c3: [0.25, "0.3"],
    c4: [undefined, "0.4"],
  };

  beforeEach(async () => {
    await rig.track(["experiments", "create", "other"]);
    await rig.seed(
      ...Object.entries(values).map(([start, [loss, lr]], index) => ({
        runId: idOf(`${start}aa`),
        runName: `trial-${start}`,
        // The first is in an experiment of its own.
        experimentId: index === 0 ? "1" : "0",
        startTime: now - 1000 + index,
        endTime: now,
        params: [
          { key: "lr", value: lr },
          { key: "batch", value: "32" },
        ],
        metrics: loss === undefined ? [] : [{ key: "val/loss", value: loss, step: 1, timestamp: now }],
        tags: [{ key: "mlflow.parentRunId", value: parent }],
      })),
    );
    await rig.track(["rm", "bbbb1"]);
    await rig.track(["rm", "--force", "bbbb1"]);
  });

  const table = async (...args: readonly string[]) => {
    const { lines } = await rig.track(["show", parent, ...args], { columns: 100 });
    return lines.slice(lines.indexOf("Children") + 1);
  };

  test("are a table with their last metrics and the params in which they differ, the best first", async () => {
    expect(await table("--sort", "val/loss")).toEqual([
      "  RUN       NAME      STATUS    DURATION  val/loss  lr",
      "  c3aa0000  trial-c3  FINISHED     1.0 s      0.25  0.3",
      "  c1aa0000  trial-c1  FINISHED     1.0 s       0.5  0.1",
      "  c2aa0000  trial-c2  FINISHED     1.0 s       NaN  0.2",
      "  c4aa0000  trial-c4  FINISHED     1.0 s            0.4",
    ]);
    const order = async (...args: readonly string[]) => (await table(...args)).slice(1).map((line) => line.slice(2, 4));
    expect(await order()).toEqual(["c1", "c2", "c3", "c4"]);
    expect(await order("--sort", "val/loss", "--desc")).toEqual(["c1", "c3", "c2", "c4"]);
    expect(await order("--sort", "val/loss", "--asc")).toEqual(["c3", "c1", "c2", "c4"]);
  });

  test("have their data in a pipe, too", async () => {
    const { lines } = await rig.track(["show", parent, "--sort", "val/loss"]);
    const id = idOf("c3aa");
    const first = lines.findIndex((line) => line.startsWith("child\t"));
    expect(lines.slice(first, first + 4)).toEqual(
      [
        `child\t${id}\ttrial-c3\tFINISHED`,
        `child_param\t${id}\tlr\t0.3`,
        `child_param\t${id}\tbatch\t32`,
        `child_metric\t${id}\tval/loss\t0.25`,
      ].map((line) =>
        expect.toBeOneOf([line, line.replace("lr\t0.3", "batch\t32"), line.replace("batch\t32", "lr\t0.3")]),
      ),
    );
  });

  test("a metric that none has is told, sorting words alone are a mistake", async () => {
    expect((await rig.track(["show", parent, "--sort", "nope"])).stderr).toBe(
      "track: --sort: no child has a metric nope\n",
    );
    expect((await rig.track(["show", "c3aa", "--sort", "nope"])).stderr).toBe(
      "track: --sort: the run has no children\n",
    );
    expect(await rig.track(["show", parent, "--asc"])).toMatchObject({
      exitCode: 2,
      stderr: "track: --asc and --desc are about --sort\nhint: track show <run> --sort <metric> --asc\n",
    });
  });
});

test.each([
  ["accuracy", true],
  ["val/acc", true],
  ["val_acc_top5", true],
  ["mAP50", true],
  ["eval_f1", true],
  ["tokens_per_second", true],
  ["loss", false],
  ["val/loss", false],
  ["perplexity", false],
  ["mape", false],
  ["rmse", false],
  ["step_time", false],
])("the best %s is its highest value: %s", (key, expected) => {
  expect(isHighestBest(key)).toBe(expected);
});
