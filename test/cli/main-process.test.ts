import { spawn, spawnSync, type SpawnSyncReturns } from "node:child_process";
import { openSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { decideColour } from "../../src/cli/io.ts";
import { CommandRig, idOf } from "./command-rig.ts";

const main = join(import.meta.dirname, "../../src/boot.ts");
let rig: CommandRig;

beforeEach(() => {
  rig = new CommandRig();
});

afterEach(async () => {
  await rig[Symbol.asyncDispose]();
});

/** A home of its own: commands finish what dead runs left in the user's. */
const environment = () => ({ PATH: process.env["PATH"], HOME: join(rig.folder, "home") });

function track(args: readonly string[], env: Record<string, string> = {}): SpawnSyncReturns<string> {
  return spawnSync(process.execPath, [main, ...args], {
    cwd: rig.folder,
    env: { ...environment(), ...env },
    encoding: "utf8",
  });
}

function shell(script: string, env: Record<string, string> = {}): SpawnSyncReturns<string> {
  const text = script.replaceAll("TRACK", `'${process.execPath}' '${main}'`);
  return spawnSync("bash", ["-c", text], { cwd: rig.folder, env: { ...environment(), ...env }, encoding: "utf8" });
}

async function seedMany(count: number): Promise<void> {
  await rig.seed(...Array.from({ length: count }, (_, index) => ({ runId: idOf(`aa${index.toString(16)}f`) })));
}

test("the program answers on its own descriptors and with its own code", async () => {
  await seedMany(2);
  expect(track(["ls"])).toMatchObject({ status: 0, stderr: "" });
  expect(track(["ls"]).stdout.split("\n")).toHaveLength(3);
  expect(track(["ls", "--frob"])).toMatchObject({ status: 2, stdout: "" });
  expect(track(["run", "--frob", "--", "true"])).toMatchObject({ status: 125, stdout: "" });
  expect(track(["show", "nope"])).toMatchObject({ status: 1, stderr: expect.stringContaining("no such run: nope") });
});

test("MLFLOW_TRACKING_URI says where to look; an empty one counts as not set", async () => {
  await seedMany(1);
  const uri = `sqlite:///${join(rig.folder, "other.db")}`;
  expect(track(["ls"], { MLFLOW_TRACKING_URI: uri }).stderr).toBe(`track: nothing recorded yet: ${uri}\n`);
  expect(track(["ls"], { MLFLOW_TRACKING_URI: "" }).stdout).toContain("\tDefault\t");
});

test("a stack is shown with TRACK_DEBUG=1 alone", () => {
  expect(track(["show", "nope"]).stderr).not.toContain("    at ");
  expect(track(["show", "nope"], { TRACK_DEBUG: "1" }).stderr).toContain("    at ");
});

describe("stdout", () => {
  test("that nobody reads to the end is no error", async () => {
    await seedMany(30);
    const result = shell(
      "TRACK ls -n 30 | true; echo ${PIPESTATUS[0]}; TRACK ls | head -c 5; echo; TRACK --help | true",
    );
    expect(result.stderr).toBe("");
    expect(result.stdout.split("\n")[0]).toBe("0");
  });

  test("that is full is one line and a failure", async () => {
    await seedMany(1);
    const result = shell("TRACK ls > /dev/full; echo $?");
    expect(result.stdout).toBe("1\n");
    expect(result.stderr).toMatch(/^track: cannot write to stdout: [^\n]*ENOSPC[^\n]*\n$/u);
  });

  test("that is closed, or a stderr that is closed, does no harm", async () => {
    await seedMany(1);
    expect(shell("TRACK ls >&-; echo $?").stdout).toBe("0\n");
    expect(shell("TRACK show nope 2>&-; echo $?").stdout).toBe("1\n");
  });

  test("that another process made non-blocking gets everything, however slowly it is read", async () => {
    const program = `
      import { createIo } from ${JSON.stringify(join(import.meta.dirname, "../../src/cli/io.ts"))};
      createIo({}).out("0123456789abcdef".repeat(65536));`;
    // A pipe that a child gets from Node's "pipe" is a non-blocking socket on this side and on the child's.
    const reader = spawn(
      "python3",
      [
        "-c",
        `
import os, subprocess, sys, time
read_end, write_end = os.pipe()
os.set_blocking(write_end, False)
child = subprocess.Popen(sys.argv[1:], stdout=write_end)
os.close(write_end)
time.sleep(0.3)
total = 0
while chunk := os.read(read_end, 65536):
    total += len(chunk)
print(total, child.wait())
`,
        process.execPath,
        "--input-type=module",
        "-e",
        program,
      ],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    const chunks: Buffer[] = [];
    for await (const chunk of reader.stdout) chunks.push(chunk as Buffer);
    expect(Buffer.concat(chunks).toString()).toBe(`${16 * 65536} 0\n`);
  });
});

test("a terminal gets the table, in colour unless NO_COLOR; a pipe gets colour only by FORCE_COLOR", async () => {
  await seedMany(1);
  const onTerminal = (env: string) =>
    shell(`script -qec "env ${env} '${process.execPath}' '${main}' ls" /dev/null`, { TERM: "xterm" }).stdout;
  expect(onTerminal("COLUMNS=60")).toMatch(/\u001b\[2mRUN\u001b\[22m +/u);
  expect(onTerminal("COLUMNS=60")).toContain("\u001b[36mRUNNING");
  expect(onTerminal("NO_COLOR=1 COLUMNS=60")).not.toContain("\u001b[");
  expect(onTerminal("NO_COLOR=1 COLUMNS=60")).toContain("NAME");
  expect(track(["ls"]).stdout).not.toContain("\u001b[");
});

test.each([
  [{}, true, true],
  [{}, false, false],
  [{ TERM: "dumb" }, true, false],
  [{ NO_COLOR: "1" }, true, false],
  [{ NO_COLOR: "" }, true, true],
  [{ FORCE_COLOR: "1" }, false, true],
  [{ FORCE_COLOR: "0" }, true, false],
  [{ FORCE_COLOR: "1", NO_COLOR: "1" }, false, true],
])("colour with %j, terminal %s: %s", (env, isTerminal, expected) => {
  expect(decideColour(env, isTerminal)).toBe(expected);
});

test("the way of `run` never makes process.stdout", async () => {
  const program = `
    import { dispatch } from ${JSON.stringify(join(import.meta.dirname, "../../src/cli/dispatch.ts"))};
    import { createContext } from ${JSON.stringify(join(import.meta.dirname, "../../src/cli/context.ts"))};
    import { commandTable } from ${JSON.stringify(join(import.meta.dirname, "../../src/cli/command-table.ts"))};
    const context = createContext();
    const table = commandTable.map((spec) => ({ ...spec, invoke: () => Promise.resolve(0) }));
    await dispatch(context, ["run", "-p", "a=1", "--", "true"], table);
    context.io.say("x");
    const loaded = process.moduleLoadList.filter((name) => /NativeModule tty$/.test(name));
    console.error(JSON.stringify(loaded));`;
  const result = spawnSync(process.execPath, ["--input-type=module", "-e", program], {
    encoding: "utf8",
    stdio: ["ignore", openSync("/dev/null", "w"), "pipe"],
  });
  expect(result.stderr).toBe("track: x\n[]\n");
});
