import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createContext } from "../../../src/cli/context.ts";
import { main } from "../../../src/main.ts";
import { CommandRig } from "../command-rig.ts";
import { TestIo } from "../test-io.ts";

const log = "epoch 1: loss=0.5\nnothing here\nloss: 0.25\nloss: nan\n";

test("shows what would be logged, with the lines it comes from", async () => {
  await using rig = new CommandRig();
  writeFileSync(join(rig.folder, "a.log"), log);
  expect(await rig.track(["scrape", "--test", "a.log"])).toMatchObject({
    exitCode: 0,
    stdout: "1\t1\tloss\t0.5\tpairs\n3\t2\tloss\t0.25\tpairs\n4\t3\tloss\tNaN\tpairs\n",
    stderr: "",
  });
  const onTerminal = await rig.track(["scrape", "--test", "a.log"], { columns: 60 });
  expect(onTerminal.lines[0]?.split(/\s+/u)).toEqual(["LINE", "STEP", "METRIC", "VALUE", "BY"]);
});

test("--json has one object a metric", async () => {
  await using rig = new CommandRig();
  writeFileSync(join(rig.folder, "a.log"), log);
  const { stdout } = await rig.track(["scrape", "--test", "a.log", "--json"]);
  expect(JSON.parse(stdout)).toEqual({
    metrics: [
      { line: 1, step: 1, key: "loss", value: 0.5, by: "pairs" },
      { line: 3, step: 2, key: "loss", value: 0.25, by: "pairs" },
      { line: 4, step: 3, key: "loss", value: "NaN", by: "pairs" },
    ],
  });
});

test("reads standard input, and takes a pattern", async () => {
  const io = new TestIo();
  async function* stdin() {
    yield* [Buffer.from("x=1 y"), Buffer.from("=2\n")];
    await Promise.resolve();
  }
  const context = createContext({ io, cwd: "/", env: {}, stdin });
  expect(await main(["scrape", "--test", "-", "--scrape", "x={x} y={y}"], context)).toBe(0);
  expect(io.stdout).toBe("1\t0\tx\t1\tpattern\n1\t0\ty\t2\tpattern\n");
});

test("says so where nothing is found", async () => {
  await using rig = new CommandRig();
  writeFileSync(join(rig.folder, "a.log"), "hello\n");
  expect(await rig.track(["scrape", "--test", "a.log"])).toMatchObject({
    exitCode: 0,
    stdout: "",
    stderr: "track: nothing in a.log looks like a metric; --scrape takes a pattern\n",
  });
});

test.each([
  [[], 2, "no log to look at"],
  [["--test", "none.log"], 1, "cannot read none.log: ENOENT"],
  [["--test", "."], 1, "cannot read .: EISDIR"],
  [["--test", "a.log", "--scrape", "loss"], 2, "--scrape is no pattern: loss: it names no metric"],
  [["--test", "a.log", "--scrape", "off"], 2, "--scrape off finds nothing"],
] as const)("track scrape %j fails", async (args, exitCode, message) => {
  await using rig = new CommandRig();
  const done = await rig.track(["scrape", ...args]);
  expect(done).toMatchObject({ exitCode, stdout: "" });
  expect(done.stderr).toContain(`track: ${message}`);
  expect(done.stderr).toMatch(/\nhint: .+\n$/u);
});
