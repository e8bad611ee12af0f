import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { textWidth } from "../../src/util/text-width.ts";
import { CommandRig, idOf, now } from "./command-rig.ts";

let rig: CommandRig;
const [first, second] = ["aaaa1", "bbbb1"].map(idOf) as [string, string];

beforeEach(async () => {
  process.env["TZ"] = "UTC";
  rig = new CommandRig();
  const points = (key: string, values: readonly number[]) =>
    values.map((value, step) => ({ key, value, step, timestamp: now + step * 1000 }));
  await rig.seed(
    {
      runId: first,
      runName: "gifted-otter-77",
      startTime: now,
      metrics: [
        ...points("loss", [4, 3, Number.NaN, 1]),
        ...points("acc", [0.1, 0.5, 0.7, 0.9]),
        ...points("system/cpu", [1, 2]),
      ],
    },
    { runId: second, runName: "語", startTime: now + 1, metrics: points("loss", [5, 4, 3, 2]) },
  );
});

afterEach(async () => {
  await rig[Symbol.asyncDispose]();
});

test("one metric of one run: its name above, axes, and values below", async () => {
  const { lines, stderr } = await rig.track(["plot", "bbbb"], { columns: 40, rows: 12 });
  expect(stderr).toBe("");
  expect(lines).toMatchInlineSnapshot(`
    [
      "loss",
      "   5 ┤⠉⠒⠤⢄⡀",
      "     │    ⠈⠑⠒⠤⣀⡀",
      "   4 ┤         ⠈⠑⠒⠤⣀⡀",
      "     │              ⠈⠑⠒⠤⢄⡀",
      "   3 ┤                   ⠈⠉⠒⠤⢄⡀",
      "     │                        ⠈⠉⠒⠤⣀⡀",
      "   2 ┤                             ⠈⠑⠒⠤⣀",
      "     └┬─────────────────────┬───────────",
      "step  0                     2",
      "語 (bbbb1000)  last 2  min 2  max 5",
    ]
  `);
});

test("the chart fills the terminal, and never more than it", async () => {
  for (const [columns, rows] of [
    [40, 12],
    [80, 24],
    [200, 60],
  ] as const) {
    const { lines } = await rig.track(["plot", first, second, "-m", "loss,acc"], { columns, rows });
    expect(lines).toHaveLength(rows - 1);
    for (const line of lines) expect(textWidth(line), line).toBeLessThanOrEqual(columns);
  }
});

test("what lines have in common is the title, what tells them apart stands with their letters", async () => {
  const titles = async (...args: readonly string[]) => {
    const { lines } = await rig.track(["plot", ...args], { columns: 90, rows: 20 });
    return [lines[0], ...lines.filter((line) => /^[A-Z] /u.test(line)).map((line) => line.split("  last")[0])];
  };
  expect(await titles(first, second, "-m", "loss")).toEqual([
    "loss",
    "A gifted-otter-77 (aaaa1000)",
    "B 語 (bbbb1000)",
  ]);
  expect(await titles(first, "-m", "loss", "-m", "acc")).toEqual(["gifted-otter-77 (aaaa1000)", "A loss", "B acc"]);
  expect(await titles(first, second, "-m", "acc,loss")).toEqual([
    "acc, loss",
    "A acc  gifted-otter-77 (aaaa1000)",
    "B loss  gifted-otter-77 (aaaa1000)",
    "C loss  語 (bbbb1000)",
  ]);
});

test("--split draws a chart for each metric", async () => {
  const { lines } = await rig.track(["plot", first, "-m", "loss,acc", "--split"], { columns: 60, rows: 24 });
  expect(lines.filter((line) => /^(?:loss|acc)$/u.test(line))).toEqual(["loss", "acc"]);
  expect(lines.length).toBeLessThan(24);
});

test("in a pipe: a line for each point, with run, metric, step, time and value", async () => {
  const { lines } = await rig.track(["plot", first, "-m", "loss"]);
  expect(lines).toEqual([
    `${first}\tloss\t0\t2026-05-01T12:00:00.000Z\t4`,
    `${first}\tloss\t1\t2026-05-01T12:00:01.000Z\t3`,
    `${first}\tloss\t2\t2026-05-01T12:00:02.000Z\tNaN`,
    `${first}\tloss\t3\t2026-05-01T12:00:03.000Z\t1`,
  ]);
});

test("--json: the series", async () => {
  const { stdout } = await rig.track(["plot", first, second, "-m", "loss", "--json"]);
  const { series } = JSON.parse(stdout) as { series: readonly object[] };
  expect(series).toHaveLength(2);
  expect(series[0]).toEqual({
    run_id: first,
    run_name: "gifted-otter-77",
    key: "loss",
    count: 4,
    is_exact: true,
    points: [
      { step: 0, timestamp: now, value: 4 },
      { step: 1, timestamp: now + 1000, value: 3 },
      { step: 2, timestamp: now + 2000, value: "NaN" },
      { step: 3, timestamp: now + 3000, value: 1 },
    ],
  });
});

test("--smooth is an unbiased moving average that steps over gaps", async () => {
  const { lines } = await rig.track(["plot", first, "-m", "loss", "--smooth", "0.5"]);
  const values = lines.map((line) => Number(line.split("\t")[4]));
  expect(values[0]).toBe(4);
  expect(values[1]).toBeCloseTo((4 * 0.25 + 3 * 0.5) / 0.75);
  expect(values[2]).toBeNaN();
  expect(values[3]).toBeCloseTo((4 * 0.125 + 3 * 0.25 + 1 * 0.5) / 0.875);
});

describe("mistakes", () => {
  test.each<[string, number, string, string]>([
    ["aaaa", 2, "which metric?", "-m <metric>: acc, loss"],
    ["aaaa -m nope", 1, "no such metric: nope", "there are acc, loss"],
    ["aaaa -m loss --smooth 1", 2, "--smooth is not a number from 0 to below 1: 1", "write --smooth 0.9"],
    ["aaaa -m loss --x epoch", 2, "--x is not known: epoch", "one of step, time, relative"],
    [
      "aaaa -m loss --watch",
      2,
      "--watch needs a terminal",
      "without one, repeat the command: while sleep 2; do track ls; done",
    ],
    ["aaaa -m loss --watch --json", 2, "--watch and --json cannot go together", "leave one out"],
  ])("plot %s", async (args, exitCode, message, hint) => {
    expect(await rig.track(["plot", ...args.split(" ")])).toEqual({
      exitCode,
      stdout: "",
      lines: [],
      stderr: `track: ${message}\nhint: ${hint}\n`,
    });
  });

  test("a metric that only some runs have is told and drawn", async () => {
    const { exitCode, stderr, lines } = await rig.track(["plot", first, second, "-m", "acc"]);
    expect({ exitCode, stderr, lines: lines.length }).toEqual({
      exitCode: 0,
      stderr: "track: 語 has no metric acc\n",
      lines: 4,
    });
  });

  test("more lines than letters", async () => {
    const metrics = Array.from({ length: 14 }, (_, index) => ({ key: `m${index}`, value: 1, step: 0, timestamp: now }));
    await rig.seed({ runId: idOf("cccc"), metrics }, { runId: idOf("dddd"), metrics });
    const keys = metrics.map(({ key }) => key).join(",");
    expect((await rig.track(["plot", "cccc", "dddd", "-m", keys])).stderr).toBe(
      "track: at most 26 lines can be told apart\nhint: name fewer runs or metrics\n",
    );
  });

  test("nothing above 0 on a logarithmic axis is said", async () => {
    await rig.seed({ runId: idOf("cccc"), metrics: [{ key: "x", value: -1, step: 0, timestamp: now }] });
    expect((await rig.track(["plot", "cccc", "-m", "x", "--log-y"], { columns: 60 })).stderr).toBe(
      "track: --log-y: no value is above 0\n",
    );
  });
});
