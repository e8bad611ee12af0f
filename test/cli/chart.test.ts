import { beforeAll, describe, expect, test } from "vitest";
import { type ChartLine, type ChartOptions, layOutChart } from "../../src/cli/chart.ts";
import { textWidth } from "../../src/util/text-width.ts";
import { TestIo } from "./test-io.ts";

beforeAll(() => {
  process.env["TZ"] = "UTC";
});

const line = (label: string, values: readonly number[], xOf = (index: number) => index): ChartLine => ({
  label,
  points: values.map((value, index) => ({ x: xOf(index), value, low: value, high: value })),
});

function draw(
  lines: readonly ChartLine[],
  options: Partial<ChartOptions & { isUtf8: boolean; hasColour: boolean }> = {},
) {
  const { isUtf8 = true, hasColour = false, ...rest } = options;
  const terminal = new TestIo({ columns: 40, isUtf8, hasColour });
  const text = layOutChart(terminal, lines, { axis: "step", isLog: false, columns: 40, rows: 9, ...rest });
  return text.split("\n").slice(0, -1);
}

const rising = Array.from({ length: 101 }, (_, index) => index);
const falling = rising.toReversed();

test("a line from corner to corner, with round ticks", () => {
  expect(draw([line("loss", rising)])).toMatchInlineSnapshot(`
    [
      " 100 ┤                            ⢀⣀⡤⠔⠒⠉",
      "     │                       ⣀⡤⠤⠒⠋⠁",
      "     │                 ⣀⡠⠤⠒⠊⠉",
      "  50 ┤           ⣀⡠⠤⠒⠊⠉⠁",
      "     │     ⢀⣠⠤⠒⠚⠉",
      "   0 ┤⣀⠤⠔⠚⠉⠁",
      "     └┬────────────────────────────────┬",
      "step  0                              100",
      "loss  last 100  min 0  max 100",
    ]
  `);
});

test("several lines are told apart by letters, wherever there is no colour", () => {
  expect(draw([line("a", rising), line("b", falling)])).toMatchInlineSnapshot(`
    [
      " 100 ┤⠉⠒⠲⠤⢤⣀⡀                    ⢀⣀⡤A⠖⠒⠉",
      "     │      ⠈⠉⠒⠲⠤⢤⣀⡀      ⢀⣀⡤⠤⠖⠒⠉⠁",
      "  50 ┤             ⢈⣉⠶⠶⠶B⣉⡁",
      "     │      A⣀⠤⠴⠒⠚⠉⠁      ⠈⠉⠓⠒⠦⠤⣀⡀",
      "   0 ┤⣀⠤⠴⠒⠚⠉⠁                    ⠈⠉⠓⠒⠦⠤⣀",
      "     └┬────────────────────────────────┬",
      "step  0                              100",
      "A a  last 100  min 0  max 100",
      "B b  last 0  min 0  max 100",
    ]
  `);
});

test("ASCII alone where the terminal knows no more", () => {
  const lines = draw([line("a", rising), line("b", falling)], { isUtf8: false });
  expect(lines.join("")).toMatch(/^[ -~]*$/u);
  expect(lines).toMatchInlineSnapshot(`
    [
      " 100 ++++++                        *A***",
      "     |    +++++++++        *********",
      "  50 +             +++++B++",
      "     |    **A******        +++++++++",
      "   0 +*****                        +++++",
      "     ++--------------------------------+",
      "step  0                              100",
      "A a  last 100  min 0  max 100",
      "B b  last 0  min 0  max 100",
    ]
  `);
});

test("colour is around each stretch of a line, and changes no width", () => {
  const plain = draw([line("a", rising), line("b", falling)]);
  const coloured = draw([line("a", rising), line("b", falling)], { hasColour: true });
  expect(coloured.map((one) => one.replaceAll(/<\w+>|<\/>/gu, ""))).toEqual(plain);
  expect(coloured.at(-2)).toBe("<cyan>A </>a  last 100  min 0  max 100");
  expect(coloured.at(-1)).toBe("<yellow>B </>b  last 0  min 0  max 100");
});

describe("gaps", () => {
  test("NaN and infinity break the line, and count as no extreme", () => {
    const lines = draw([line("loss", [1, 1, Number.NaN, 1, Infinity, 1.7976931348623157e308, 1, 1])]);
    expect(lines.at(-1)).toBe("loss  last 1  min 1  max 1");
    const drawn = lines.find((one) => /[⠁-⣿]/u.test(one)) ?? "";
    expect(drawn.slice(drawn.search(/[⠁-⣿]/u)).split(/ +/u)).toHaveLength(3);
  });

  test("nothing but NaN is an empty chart", () => {
    const lines = draw([line("loss", [Number.NaN])]);
    expect(lines.at(-1)).toBe("loss  no numbers");
    expect(lines.join("")).not.toMatch(/[⠁-⣿]/u);
    expect(draw([line("loss", [])])).toHaveLength(9);
  });

  test("on a logarithmic axis what is not above 0 is one", () => {
    const lines = draw([line("loss", [1000, 100, 0, 10, -5, 1])], { isLog: true });
    expect(lines.map((one) => one.slice(0, 5).trim()).filter((label) => /\d/u.test(label))).toEqual(["100", "1"]);
    expect(lines.at(-1)).toBe("loss  last 1  min -5  max 1000");
  });
});

test("extremes of points that were put together are drawn as bars", () => {
  const lines = draw([{ label: "loss", points: [0, 1, 2].map((x) => ({ x, value: 5, low: 0, high: 10 })) }]);
  expect(lines.slice(0, 6).every((one) => /┤?[│┤].*[⡇⢸⠇⡏⢹⡧⢼⠤]/u.test(one))).toBe(true);
});

describe("axes", () => {
  const labels = (axis: ChartOptions["axis"], from: number, to: number, columns = 80) =>
    draw([line("x", [0, 1], (index) => (index === 0 ? from : to))], { axis, columns })
      .at(-2)
      ?.trim()
      .split(/ {2,}/u);
  const noon = Date.UTC(2026, 4, 1, 12);
  test.each<[ChartOptions["axis"], number, number, string]>([
    ["step", 0, 1, "step|0|1"],
    ["step", 0, 1_000_000, "step|0|200000|400000|600000|800000|1000000"],
    ["relative", 0, 90_000, "time|0|30 s|60 s|90 s"],
    ["relative", 0, 7_200_000, "time|0|30 min|60 min|90 min|120 min"],
    ["time", noon, noon + 3_600_000, "time|12:00|12:15|12:30|12:45|13:00"],
    ["time", noon, noon + 20_000, "time|12:00:00|12:00:05|12:00:10|12:00:15|12:00:20"],
    ["time", noon, noon + 3 * 86_400_000, "time|2026-05-02|2026-05-03|2026-05-04"],
    ["time", noon, noon + 30 * 86_400_000, "time|2026-05-02|2026-05-12|2026-05-22"],
  ])("%s from %d to %d", (axis, from, to, expected) => {
    expect(labels(axis, from, to)?.join("|")).toBe(expected);
  });

  test.each([[[0.0001, 0.0002]], [[1e-9, 1e-8]], [[-5, 5]], [[123456, 123457]], [[1e9, 3e9]], [[7, 7]], [[0, 0]]])(
    "the values %j have labels that differ",
    (values) => {
      const lines = draw([line("x", values)], { rows: 14 });
      const found = lines.slice(0, -3).flatMap((one) => /^ *(\S+) ┤/u.exec(one)?.[1] ?? []);
      expect(found.length).toBeGreaterThanOrEqual(2);
      expect(new Set(found).size).toBe(found.length);
    },
  );
});

test("fits, however small the terminal and long the names are", () => {
  const lines = Array.from({ length: 12 }, (_, index) => line(`日本語の長い名前 with a long name ${index}`, rising));
  for (const columns of [20, 40, 61, 200]) {
    for (const rows of [8, 12, 24, 60]) {
      const drawn = draw(lines, { columns, rows });
      expect(drawn.length).toBeLessThanOrEqual(Math.max(rows, 8));
      for (const one of drawn) expect(textWidth(one), one).toBeLessThanOrEqual(columns);
    }
  }
});

test("a hundred thousand points are drawn in a moment", () => {
  const values = Array.from({ length: 100_000 }, (_, index) => Math.sin(index / 100));
  const began = performance.now();
  draw([line("x", values)], { columns: 200, rows: 50 });
  expect(performance.now() - began).toBeLessThan(1000);
});
