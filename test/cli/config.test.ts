import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createContext } from "../../src/cli/context.ts";
import { main } from "../../src/main.ts";
import { commandTable } from "../../src/cli/command-table.ts";
import { loadConfig } from "../../src/cli/load-config.ts";
import { CommandRig } from "./command-rig.ts";
import { TestIo } from "./test-io.ts";

let rig: CommandRig;
let cwd: string;
let project: string;
let user: string;

beforeEach(() => {
  rig = new CommandRig();
  cwd = join(rig.folder, "project/deep/er");
  project = join(rig.folder, "project/track.toml");
  user = join(rig.folder, "xdg/track/config.toml");
  for (const folder of [cwd, join(rig.folder, "xdg/track")]) mkdirSync(folder, { recursive: true });
});

afterEach(async () => {
  await rig[Symbol.asyncDispose]();
});

async function track(args: readonly string[], env: Record<string, string> = {}) {
  const io = new TestIo();
  const context = createContext({ io, cwd, env: { XDG_CONFIG_HOME: join(rig.folder, "xdg"), ...env } });
  const exitCode = await main(args, context);
  return { exitCode, stdout: io.stdout, stderr: io.stderr };
}

interface Setting {
  readonly name: string;
  readonly value: unknown;
  readonly source: string;
}

async function settings(
  env: Record<string, string> = {},
): Promise<Readonly<Record<string, readonly [unknown, string]>>> {
  const { stdout, stderr } = await track(["config", "--json"], env);
  expect(stderr).toBe("");
  const document = JSON.parse(stdout) as { readonly settings: readonly Setting[] };
  return Object.fromEntries(document.settings.map(({ name, value, source }) => [name, [value, source]]));
}

describe("track config", () => {
  test("without any file: the defaults, every option of run once", async () => {
    const found = await settings();
    expect(new Set(Object.values(found).map(([, source]) => source))).toEqual(new Set(["default"]));
    expect(found).toMatchObject({
      experiment: ["Default", "default"],
      "tracking-uri": [`sqlite:///${cwd}/mlflow.db`, "default"],
      nested: [true, "default"],
      redact: [true, "default"],
      strict: [false, "default"],
      timeout: [null, "default"],
    });
    const help = (await track(["run", "--help"])).stdout;
    const options = Array.from(help.matchAll(/^ +(?:-\w, )?--(?:no-)?([a-z-]+)/gmu), (match) => match[1]);
    expect(new Set(Object.keys(found))).toEqual(new Set(options.filter((name) => name !== "help")));
  });

  test("the project's file over the user's, the environment over both", async () => {
    writeFileSync(user, 'experiment = "mine"\ngrace = 5\nquiet = true\n[tag]\nwho = "me"\nteam = "mine"\n');
    writeFileSync(
      project,
      '# ours\nexperiment = "digits"\ntracking-uri = "sqlite:///runs.db"\nsystem-metrics = false\ntag = ["team=vision"]\n',
    );
    expect(await settings({ MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING: "1" })).toMatchObject({
      experiment: ["digits", `${project}:2`],
      // A relative path is the file's, not the working folder's.
      "tracking-uri": [`sqlite:///${join(rig.folder, "project/runs.db")}`, `${project}:3`],
      "system-metrics": ["1", "MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING"],
      grace: [5, `${user}:2`],
      quiet: [true, `${user}:3`],
      tag: [{ who: "me", team: "vision" }, `${project}:5`],
    });
    expect((await track(["config"])).stdout).toContain(`experiment\tdigits\t${project}:2\n`);
  });

  test("folders of event files are seen from the file", async () => {
    writeFileSync(project, 'scrape = "auto"\ntensorboard = ["runs", "/abs"]\nparams-from-args = true\n');
    expect(await settings()).toMatchObject({
      scrape: ["auto", `${project}:1`],
      "params-from-args": [true, `${project}:3`],
    });
    const runOptions = commandTable.find(({ name }) => name === "run")?.options ?? [];
    expect((await loadConfig([project], runOptions)).options).toEqual({
      scrape: "auto",
      tensorboard: [join(rig.folder, "project/runs"), "/abs"],
      paramsFromArgs: true,
    });
  });

  test("an experiment's name and id are one choice, whatever file they are in", async () => {
    writeFileSync(user, 'experiment-id = "7"\n');
    writeFileSync(project, 'experiment = "digits"\n');
    expect(await settings()).toMatchObject({
      experiment: ["digits", `${project}:1`],
      "experiment-id": [null, "default"],
    });
    expect(await settings({ MLFLOW_EXPERIMENT_ID: "3" })).toMatchObject({
      experiment: ["Default", "default"],
      "experiment-id": ["3", "MLFLOW_EXPERIMENT_ID"],
    });
  });

  test("the file's tracking URI is where all commands look", async () => {
    writeFileSync(project, 'tracking-uri = "sqlite:///runs.db"\n');
    const uri = `sqlite:///${join(rig.folder, "project/runs.db")}`;
    expect((await track(["ls"])).stderr).toBe(`track: nothing recorded yet: ${uri}\n`);
    expect((await track(["ls"], { MLFLOW_TRACKING_URI: "sqlite:////e.db" })).stderr).toContain("sqlite:////e.db");
    expect((await track(["ls", "--tracking-uri", "sqlite:////o.db"])).stderr).toContain("sqlite:////o.db");
  });

  test("masks what looks like a secret in the environment", async () => {
    expect(await settings({ MLFLOW_TRACKING_URI: "https://ada:pw@host/" })).toMatchObject({
      "tracking-uri": ["https://***@host/", "MLFLOW_TRACKING_URI"],
    });
  });
});

test.each([
  ['experimnt = "x"', "1: no such setting: experimnt", "did you mean experiment?"],
  ["[nonsense]\nx = 1", "1: no such setting: nonsense", "`track run --help` has them all: each option is a setting"],
  ['quiet = true\ntimeout = "5x"', "2: timeout: not a duration: 5x", "write 90, 90s, 5m, 1h30m, 2d or 500ms"],
  ['capture = "tty"', "1: capture: not known: tty", "one of auto, pty, pipe, off"],
  ['strict = "yes"', "1: strict: neither true nor false", "write strict = true or strict = false"],
  ["timeout = 1979-05-27", "1: timeout: not a value of this setting", 'write timeout = "..."'],
  ['\n\ntag = "novalue"', "3: tag: not key=value: novalue", 'write [tag] and below it name = "value"'],
  ['tag = ["a=1", ["b=2"]]', "1: tag: not a value of this setting", 'write [tag] and below it name = "value"'],
  ['grace = "1s"\nquiet = maybe', "2: quiet: invalid value", 'such as: experiment = "digits"'],
  ['experiment = "a', "1: experiment: control characters are not allowed in strings", 'such as: experiment = "digits"'],
  [
    'tracking-uri = "https://ada:pw@host"',
    "1: tracking-uri: it holds a secret, which does not belong into a config file",
    "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD",
  ],
  [
    '[param]\napi_key = "hunter2hunter2"',
    "1: param: it holds a secret, which does not belong into a config file",
    "hand it to the command by its environment",
  ],
])("a broken file names itself, the line and the key: %j", async (text, message, hint) => {
  writeFileSync(project, `${text}\n`);
  const stderr = `track: ${project}:${message}\nhint: ${hint}\n`;
  expect(await track(["run", "--", "true"])).toEqual({ exitCode: 125, stdout: "", stderr });
  expect(await track(["ls"])).toEqual({ exitCode: 2, stdout: "", stderr });
  // Inside a run nothing of it is needed: what a script says must not depend on a file that someone edits.
  expect((await track(["ls"], { MLFLOW_TRACKING_URI: "sqlite:////nowhere.db" })).exitCode).toBe(0);
});

test("a folder of that name, and a file above an unreadable place, are no settings", async () => {
  mkdirSync(project);
  expect(Object.values(await settings()).every(([, source]) => source === "default")).toBe(true);
});
