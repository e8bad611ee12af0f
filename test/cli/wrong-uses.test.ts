import { expect, test } from "vitest";
import { createContext } from "../../src/cli/context.ts";
import { main } from "../../src/main.ts";
import { TestIo } from "./test-io.ts";

async function track(argv: readonly string[]) {
  const io = new TestIo();
  const exitCode = await main(argv, createContext({ io, env: {}, cwd: "/nowhere" }));
  return { exitCode, stdout: io.stdout, stderr: io.stderr };
}

test.each<[string, number, string, string]>([
  ["lss", 2, "unknown command 'lss'", "did you mean ls?"],
  ["--frob", 2, "unknown option '--frob'", "track --help"],
  ["run --frob -- true", 125, "unknown option '--frob'", "track run --help"],
  ["run --experimnt x -- true", 125, "unknown option '--experimnt'", "did you mean --experiment?"],
  ["run -e", 125, "option '-e, --experiment <name>' argument missing", "track run --help"],
  ["run --run-name= true", 125, "--run-name needs a value", "track --help"],
  ["run -p lr true", 125, "-p is not key=value: lr", "write -p key=value"],
  ["run -p =1 true", 125, "-p has no key: =1", "write -p key=value"],
  ["run -t novalue true", 125, "-t is not key=value: novalue", "write -t key=value"],
  ["run -p lr=1 -p lr=2 true", 125, "param lr is given twice: 1 and 2", "keep one of the two -p lr=..."],
  ["run --timeout 5x true", 125, "--timeout is not a duration: 5x", "write 90, 90s, 5m, 1h30m, 2d or 500ms"],
  ["run --timeout 0 true", 125, "--timeout must be more than 0: 0", "track --help"],
  [
    "run --sampling-interval -1 true",
    125,
    "--sampling-interval is not a duration: -1",
    "write 90, 90s, 5m, 1h30m, 2d or 500ms",
  ],
  [
    "run --console-limit huge true",
    125,
    "--console-limit is not a size: huge",
    "write 1GB, 500MB, 64MiB or a number of bytes",
  ],
  ["run --capture tty true", 125, "--capture is not known: tty", "one of auto, pty, pipe, off"],
  ["resume", 125, "missing required argument 'run'", "track resume --help"],
  ["resume a --frob", 125, "unknown option '--frob'", "track resume --help"],
  ["ls extra", 2, "too many arguments for 'ls'. Expected 0 arguments but got 1: extra.", "track ls --help"],
  ["ls -n 0", 2, "-n is not a whole number of 1 or more: 0", "track --help"],
  ["ls -n 1.5", 2, "-n is not a whole number of 1 or more: 1.5", "track --help"],
  ["ls --status done", 2, "--status is not known: done", "one of RUNNING, SCHEDULED, FINISHED, FAILED, KILLED"],
  ["ls --columns a,,b", 2, "--columns has an empty element: a,,b", "track --help"],
  ["ls --watch", 2, "--watch needs a terminal", "without one, repeat the command: while sleep 2; do track ls; done"],
  ["ls --watch --json", 2, "--watch and --json cannot go together", "leave one out"],
  ["ls --watch --interval 0", 2, "--interval must be more than 0: 0", "track --help"],
  ["show x --desc", 2, "--asc and --desc are about --sort", "track show <run> --sort <metric> --asc"],
  ["show x --sort", 2, "option '--sort <metric>' argument missing", "track show --help"],
  ["compare", 2, "missing required argument 'run'", "track compare --help"],
  ["compare a", 2, "missing required argument 'run'", "track compare --help"],
  ["plot", 2, "missing required argument 'run'", "track plot --help"],
  ["plot a -m loss,", 2, "-m has an empty element: loss,", "track --help"],
  ["plot a --x epoch", 2, "--x is not known: epoch", "one of step, time, relative"],
  ["plot a --smooth 1.5", 2, "--smooth is not a number from 0 to below 1: 1.5", "write --smooth 0.9"],
  ["plot a --logy", 2, "unknown option '--logy'", "did you mean --log-y?"],
  ["show", 2, "missing required argument 'run'", "track show --help"],
  ["show a b", 2, "too many arguments for 'show'. Expected 1 argument but got 2: a, b.", "track show --help"],
  ["rm", 2, "missing required argument 'run'", "track rm --help"],
  [
    "experiments frob",
    2,
    "too many arguments for 'experiments'. Expected 0 arguments but got 1: frob.",
    "track experiments --help",
  ],
  ["experiments rename a", 2, "missing required argument 'name'", "track experiments rename --help"],
  ["log metrics a=1", 2, "unknown command 'metrics'", "did you mean metric?"],
  ["log metric --step x a=1", 2, "--step is not a whole number: x", "track --help"],
  ["wait", 2, "missing required argument 'run'", "track wait --help"],
  ["wait a --timeout soon", 2, "--timeout is not a duration: soon", "write 90, 90s, 5m, 1h30m, 2d or 500ms"],
  ["assert metrics.loss<1", 2, "missing required argument 'run'", "track assert --help"],
  [
    "assert loss<1 @last",
    2,
    "filter: unknown run attribute loss, at character 1",
    "use one of: run_id, run_name, user_id, status, artifact_uri, start_time, end_time",
  ],
  ["get metrics @last loss", 2, "unknown command 'metrics'", "did you mean metric?"],
  ["get metric @last", 2, "missing required argument 'key'", "track get metric --help"],
  ["artifacts rm @last", 2, "unknown command 'rm'", "track artifacts --help"],
  ["artifacts get", 2, "missing required argument 'run'", "track artifacts get --help"],
  ["artifacts get @last x -o", 2, "option '-o, --output <path>' argument missing", "track artifacts get --help"],
  ["end --print-env --json", 2, "--print-env and --json both want stdout", "give one of the two"],
  ["end a --print-env", 2, "--print-env is for the run of this shell, not for a", "track end --print-env"],
  ["end a --sync-timeout soon", 2, "--sync-timeout is not a duration: soon", "write 90, 90s, 5m, 1h30m, 2d or 500ms"],
  ["end --shell tcsh", 2, "--shell is not known: tcsh", "one of bash, dash, fish, sh, zsh"],
  ["export", 2, "missing required argument 'run'", "track export --help"],
  ["export a --artifacts=", 2, "--artifacts needs a value", "track --help"],
  ["import", 2, "missing required argument 'source'", "track import --help"],
  ["import a b", 2, "too many arguments for 'import'. Expected 1 argument but got 2: a, b.", "track import --help"],
  ["gc x", 2, "too many arguments for 'gc'. Expected 0 arguments but got 1: x.", "track gc --help"],
  ["gc --older-than old", 2, "--older-than is not a duration: old", "write 90, 90s, 5m, 1h30m, 2d or 500ms"],
  ["doctor x", 2, "too many arguments for 'doctor'. Expected 0 arguments but got 1: x.", "track doctor --help"],
  ["doctor --stal", 2, "unknown option '--stal'", "did you mean --stale?"],
  ["completion", 2, "missing required argument 'shell'", "track completion --help"],
  ["completion tcsh", 2, "no completion for tcsh", "one of bash, zsh, fish"],
  ["config x", 2, "too many arguments for 'config'. Expected 0 arguments but got 1: x.", "track config --help"],
  ["end a --status done", 2, "--status is not known: done", "one of FINISHED, FAILED, KILLED"],
  ["end a --status running", 2, "--status is not known: running", "one of FINISHED, FAILED, KILLED"],
  ["end a --status-from 256", 2, "--status-from is not an exit code: 256", "write --status-from $?"],
  ["end a --status failed --status-from 1", 2, "--status and --status-from say the same twice", "give one of the two"],
])("track %s", async (line, exitCode, message, hint) => {
  expect(await track(line.split(" "))).toEqual({
    exitCode,
    stdout: "",
    stderr: `track: ${message}\nhint: ${hint}\n`,
  });
});

test("bare track and a bare group print help and answer 2; asked-for help answers 0", async () => {
  const bare = await track([]);
  expect(bare).toMatchObject({ exitCode: 2, stderr: "" });
  expect(bare.stdout).toContain("run a command and record it");
  const group = await track(["log"]);
  expect(group).toMatchObject({ exitCode: 2, stderr: "" });
  expect(group.stdout).toContain("metric <key=value...>");
  const help = await track(["run", "--help"]);
  expect(help).toMatchObject({ exitCode: 0, stderr: "" });
  expect(help.stdout).toContain("$ track run -- python train.py --epochs 5");
  expect((await track(["help", "ls"])).stdout).toContain("--order-by");
});

test("--version prints the version of package.json", async () => {
  const { default: manifest } = await import("../../package.json", { with: { type: "json" } });
  expect(await track(["--version"])).toEqual({ exitCode: 0, stdout: `${manifest.version}\n`, stderr: "" });
});

test("what nobody expected is called a bug in track, with a stack by TRACK_DEBUG=1 alone", async () => {
  const crash = async (env: Record<string, string>, argv: readonly string[]) => {
    const io = new TestIo();
    const context = createContext({ io, env, cwd: "/nowhere" });
    const broken = { ...context, openStore: () => Promise.reject(new TypeError("x is no function")) };
    return { exitCode: await main(argv, broken), stderr: io.stderr };
  };
  expect(await crash({}, ["ls"])).toEqual({
    exitCode: 1,
    stderr: "track: x is no function\nhint: this is a bug in track; TRACK_DEBUG=1 shows where\n",
  });
  expect((await crash({ TRACK_DEBUG: "1" }, ["ls"])).stderr).toMatch(/\n {4}at /u);
});
