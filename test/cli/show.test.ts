import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
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
      "  METRIC                             LAST  STEP   MIN   MAX",
      "  system/cpu_utilization_percentage  97.5     0  97.5  97.5",
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
      "  RUN       NAME   STATUS",
      "  bbbb1000  child  RUNNING",
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
