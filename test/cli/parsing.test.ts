import { describe, expect, test } from "vitest";
import { type CommandSpec, flagWords, type ParsedArguments } from "../../src/cli/command-spec.ts";
import { commandTable, groupSummaries } from "../../src/cli/command-table.ts";
import { createContext } from "../../src/cli/context.ts";
import { dispatch } from "../../src/cli/dispatch.ts";
import { findCommand, parseArguments } from "../../src/cli/parse-arguments.ts";
import { parseWithCommander } from "../../src/cli/program.ts";
import { TestIo } from "./test-io.ts";

type Parsed = { readonly name: string } & ParsedArguments;

const commands = { table: commandTable, groups: groupSummaries };

function parsePlain(argv: readonly string[]): Parsed | undefined {
  const found = findCommand(commandTable, argv);
  const parsed = found && parseArguments(found.spec, found.rest);
  return found && parsed && { name: found.spec.name, ...parsed };
}

function parseByCommander(argv: readonly string[]): Parsed | undefined {
  const answer = parseWithCommander(commands, argv, new TestIo());
  return answer.kind === "command" ? { name: answer.spec.name, ...answer.parsed } : undefined;
}

const run = { tags: [], params: [] };
const ls = { experiments: [], orderBy: [], limit: 20, viewType: "ACTIVE_ONLY" };

const cases: readonly [argv: string, name: string, options: object, args?: readonly string[]][] = [
  ["run -- true", "run", run, ["true"]],
  ["run", "run", run],
  ["run true", "run", run, ["true"]],
  ["run python train.py --epochs 5 -n 3", "run", run, ["python", "train.py", "--epochs", "5", "-n", "3"]],
  ["run -n a python -- -x", "run", { ...run, runName: "a" }, ["python", "--", "-x"]],
  ["run -- -x --help", "run", run, ["-x", "--help"]],
  ["run -e digits --run-name=x=y -- true", "run", { ...run, experimentName: "digits", runName: "x=y" }, ["true"]],
  ["run --experiment-id 7 true", "run", { ...run, experimentId: "7" }, ["true"]],
  ["run --description --odd -- true", "run", { ...run, description: "--odd" }, ["true"]],
  ["run --description= -- true", "run", { ...run, description: "" }, ["true"]],
  ["run -t a=1 -t b=x=y -t a=2 true", "run", { ...run, tags: [["b", "x=y"], ["a", "2"]] }, ["true"]], // prettier-ignore
  ["run -p lr=0.1 --param opt= -p lr=0.1 true", "run", { ...run, params: [["lr", "0.1"], ["opt", ""]] }, ["true"]], // prettier-ignore
  ["run --run-id abc --parent-run-id def true", "run", { ...run, runId: "abc", parentRunId: "def" }, ["true"]],
  ["run --nested true", "run", { ...run, nested: true }, ["true"]],
  ["run --no-nested true", "run", { ...run, nested: false }, ["true"]],
  ["run --no-nested --nested true", "run", { ...run, nested: true }, ["true"]],
  ["run --tracking-uri sqlite:///a.db true", "run", { ...run, trackingUri: "sqlite:///a.db" }, ["true"]],
  ["run --system-metrics true", "run", { ...run, systemMetrics: true }, ["true"]],
  ["run --no-system-metrics true", "run", { ...run, systemMetrics: false }, ["true"]],
  ["run --sampling-interval 0.5 true", "run", { ...run, samplingIntervalSeconds: 0.5 }, ["true"]],
  ["run --capture PTY true", "run", { ...run, capture: "pty" }, ["true"]],
  ["run --timeout 1h30m --grace 0 true", "run", { ...run, timeoutMs: 5_400_000, graceMs: 0 }, ["true"]],
  ["run --survive --strict --quiet true", "run", { ...run, survive: true, strict: true, quiet: true }, ["true"]],
  ["run --sync-timeout 500ms true", "run", { ...run, syncTimeoutMs: 500 }, ["true"]],
  ["run --console-limit 64MiB true", "run", { ...run, consoleLimitBytes: 67_108_864 }, ["true"]],
  ["run --no-redact true", "run", { ...run, redact: false }, ["true"]],
  ["run --run-id-file i --summary-file s true", "run", { ...run, runIdFile: "i", summaryFile: "s" }, ["true"]],
  ["resume @last", "resume", run, ["@last"]],
  ["resume @last --force", "resume", { ...run, force: true }, ["@last"]],
  ["resume -n x @2 -- python --epochs 9", "resume", { ...run, runName: "x" }, ["@2", "python", "--epochs", "9"]],
  ["log metric loss=-0.3 acc=1 --step -5", "log metric", { step: -5 }, ["loss=-0.3", "acc=1"]],
  ["log text a.txt -", "log text", {}, ["a.txt", "-"]],
  ["log batch", "log batch", {}],
  ["ls", "ls", ls],
  ["ls -e a --experiment b -n 5", "ls", { ...ls, experiments: ["a", "b"], limit: 5 }],
  ["ls --status failed --all", "ls", { ...ls, status: "FAILED", viewType: "ALL" }],
  ["ls --deleted --json", "ls", { ...ls, viewType: "DELETED_ONLY", json: true }],
  ["ls --columns run_id,params.lr", "ls", { ...ls, columns: ["run_id", "params.lr"] }],
  ["show @last --json", "show", { json: true }, ["@last"]],
  ["rm a b --force", "rm", { force: true }, ["a", "b"]],
  ["restore a", "restore", {}, ["a"]],
  ["experiments", "experiments", { viewType: "ACTIVE_ONLY" }],
  ["experiments --all --json", "experiments", { viewType: "ALL", json: true }],
  ["experiments ls", "experiments ls", { viewType: "ACTIVE_ONLY" }],
  ["experiments create x --artifact-location /a", "experiments create", { artifactLocation: "/a" }, ["x"]],
  ["experiments rename x y", "experiments rename", {}, ["x", "y"]],
  ["experiments delete x y", "experiments delete", {}, ["x", "y"]],
  ["experiments delete x --force", "experiments delete", { force: true }, ["x"]],
];

describe.each([
  ["the plain parser", parsePlain],
  ["commander", parseByCommander],
])("%s", (_, parse) => {
  test.each(cases)("track %s", (argv, name, options, args = []) => {
    expect(parse(argv.split(" "))).toEqual({ name, options, args });
  });
});

test("the plain parser leaves to commander whatever there is to explain", () => {
  const lines = ["run --help", "run -h", "run --unknown x", "run -e", "run -nx true", "ls extra", "show", "show a b"];
  for (const line of [...lines, "ls --json=1", "frobnicate", "", "log", "experiments create", "ls -"]) {
    expect(parsePlain(line === "" ? [] : line.split(" ")), line).toBeUndefined();
  }
});

test("rare spellings that only commander knows run the same command", async () => {
  const seen: Parsed[] = [];
  const table: CommandSpec[] = commandTable.map((spec) => ({
    ...spec,
    invoke: (_context, parsed) => {
      seen.push({ name: spec.name, ...parsed });
      return Promise.resolve(7);
    },
  }));
  const context = createContext({ io: new TestIo(), env: {}, cwd: "/" });
  expect(await dispatch(context, ["ls", "-n5", "-eabc"], table)).toBe(7);
  expect(seen).toEqual([{ name: "ls", options: { ...ls, limit: 5, experiments: ["abc"] }, args: [] }]);
});

test("every example is understood, and is about its command", () => {
  for (const spec of commandTable) {
    expect(spec.examples.length, spec.name).toBeGreaterThan(0);
    for (const example of spec.examples) {
      const lines = Array.from(withoutShell(example).matchAll(/track ((?:"[^"]*"|[^|"])+)/gu), (match) =>
        (match[1] ?? "").replace(/ > \S+$/u, ""),
      );
      const names = lines.map((line) => parsePlain(shellWords(line))?.name);
      expect(names, example).not.toContain(undefined);
      // `experiments` and `experiments ls` are the same command.
      expect(names, example).toContain(spec.name.replace(/^experiments ls$/u, "experiments"));
    }
  }
});

test("no flag stands for two options of a command", () => {
  for (const spec of commandTable) {
    const words = spec.options.flatMap(flagWords);
    expect(words.toSorted(), spec.name).toEqual([...new Set(words)].sort());
  }
});

/** What a shell would have made of `eval "$(...)"`, `trap '...' EXIT` and `$?`. */
function withoutShell(example: string): string {
  return example
    .replaceAll(/eval "\$\(([^)]*)\)"/gu, "$1")
    .replaceAll(/trap '([^']*)' EXIT/gu, "$1")
    .replaceAll("$?", "0")
    .replaceAll("; ", "|");
}

function shellWords(line: string): string[] {
  return Array.from(line.matchAll(/"[^"]*"|'[^']*'|\S+/gu), ([word]) => word.replaceAll(/^["']|["']$/gu, ""));
}
