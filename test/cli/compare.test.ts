import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { textWidth } from "../../src/util/text-width.ts";
import { runToJson } from "../../src/wire/rest-json.ts";
import { CommandRig, idOf, now } from "./command-rig.ts";

let rig: CommandRig;
const ids = ["aaaa1", "bbbb1", "cccc1"].map(idOf);

beforeEach(async () => {
  rig = new CommandRig();
  const metric = (key: string, value: number) => ({ key, value, step: 1, timestamp: now });
  await rig.seed(
    ...ids.map((runId, index) => ({
      runId,
      runName: `run-${index}`,
      startTime: now + index,
      status: "FINISHED" as const,
      params: [
        { key: "lr", value: String((index + 1) / 10) },
        { key: "batch", value: "32" },
        ...(index === 1 ? [{ key: "extra", value: "a\tb\u001b[31m" }] : []),
      ],
      metrics: [metric("loss", 0.5 - index / 10), metric("nan", Number.NaN), metric("system/cpu", index)],
      tags: [
        { key: "track.command", value: JSON.stringify(["python", "train.py", "--lr", String(index)]) },
        { key: "mlflow.source.git.commit", value: "0123456789" },
        { key: "track.create_id", value: String(index) },
        { key: "team", value: index === 0 ? "vision" : "語" },
      ],
    })),
  );
});

afterEach(async () => {
  await rig[Symbol.asyncDispose]();
});

test("on a terminal: a column for each run, what differs alone", async () => {
  const { lines, stderr } = await rig.track(["compare", "aaaa", "bbbb"], { columns: 80 });
  expect(stderr).toBe("");
  expect(lines).toEqual([
    "                 aaaa1000                bbbb1000",
    "  name           run-0                   run-1",
    "  status         FINISHED                FINISHED",
    "",
    "Params",
    "  extra          -                       a\\tb\\x1b[31m",
    "  lr             0.1                     0.2",
    "",
    "Metrics",
    "  loss           0.5                     0.4",
    "",
    "Tags",
    "  team           vision                  語",
    "  track.command  python train.py --lr 0  python train.py --lr 1",
  ]);
});

test("--all shows what is the same as well", async () => {
  const { stdout } = await rig.track(["compare", "aaaa", "bbbb", "--all"]);
  expect(stdout).toContain("param\tbatch\t32\t32\n");
  expect(stdout).toContain("metric\tnan\tNaN\tNaN\n");
  expect(stdout).toContain("metric\tsystem/cpu\t0\t1\n");
  expect(stdout).toContain("tag\ttrack.create_id\t0\t1\n");
});

test("in a pipe: the kind first, a field for each run, empty where it has none", async () => {
  expect((await rig.track(["compare", "aaaa", "bbbb", "cccc"])).lines).toEqual([
    `run\trun_id\t${ids.join("\t")}`,
    "run\trun_name\trun-0\trun-1\trun-2",
    "run\tstatus\tFINISHED\tFINISHED\tFINISHED",
    "param\textra\t\ta\\tb\\x1b[31m\t",
    "param\tlr\t0.1\t0.2\t0.3",
    "metric\tloss\t0.5\t0.4\t0.3",
    "tag\tteam\tvision\t語\t語",
    expect.stringMatching(/^tag\ttrack\.command\t\["python",.*\]$/u),
  ]);
});

test("--json: the runs in MLflow's shape, and what differs by key and run id", async () => {
  const document = JSON.parse((await rig.track(["compare", "aaaa", "cccc", "--json"])).stdout) as Record<
    string,
    unknown
  >;
  await using store = await rig.openStore("read");
  const runs = await Promise.all([ids[0], ids[2]].map((id) => store.getRun(id ?? "")));
  expect(document).toMatchObject({
    runs: JSON.parse(JSON.stringify(runs.map(runToJson))) as object,
    params: { lr: { [ids[0] ?? ""]: "0.1", [ids[2] ?? ""]: "0.3" } },
    metrics: { loss: { [ids[0] ?? ""]: 0.5, [ids[2] ?? ""]: 0.3 } },
  });
  expect(Object.keys(document)).toEqual(["runs", "params", "metrics", "tags"]);
  const all = JSON.parse((await rig.track(["compare", "aaaa", "cccc", "--json", "--all"])).stdout) as typeof document;
  expect(all["metrics"]).toMatchObject({ nan: { [ids[0] ?? ""]: "NaN" } });
});

test("the same runs have no difference, and it is said", async () => {
  await rig.seed(...["dddd1", "eeee1"].map((start) => ({ runId: idOf(start), params: [{ key: "lr", value: "1" }] })));
  const { stderr, lines } = await rig.track(["compare", "dddd", "eeee"], { columns: 80 });
  expect(stderr).toContain("no difference in params, metrics and tags");
  expect(lines).toHaveLength(3);
});

describe("many runs", () => {
  test("stand below each other where the terminal is narrow, no line too wide", async () => {
    const more = Array.from({ length: 20 }, (_, index) => idOf(`f${index.toString(16).padStart(3, "0")}`));
    await rig.seed(
      ...more.map((runId, index) => ({
        runId,
        params: [{ key: "a_param_with_a_long_name", value: `value ${index}` }],
      })),
    );
    for (const columns of [40, 80, 200]) {
      const { lines } = await rig.track(["compare", ...ids, ...more], { columns });
      for (const line of lines) expect(textWidth(line), line).toBeLessThanOrEqual(columns);
      for (const id of more) expect(lines.join("\n")).toContain(id.slice(0, 8));
    }
  });
});

test("one run cannot be compared", async () => {
  expect(await rig.track(["compare", "aaaa", ids[0] ?? ""])).toMatchObject({
    exitCode: 2,
    stderr: "track: compare needs two different runs\nhint: track compare @last @2\n",
  });
});
