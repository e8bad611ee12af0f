import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Bench } from "./bench.ts";
import { BenchRig, interleave, type MeasureOptions, type Timing, track } from "./bench-rig.ts";
import { atMost, median, quantile, type Report } from "./figure.ts";

interface Case {
  readonly name: string;
  readonly args?: readonly string[];
  readonly options: () => MeasureOptions;
  /** Not everything is on: told to see what costs what. */
  readonly isPartial?: boolean;
}

interface Start extends Timing {
  /** Until the command's first instruction. */
  readonly childMs: number;
}

/** How long a command waits until it runs, and how much longer the shell waits at the end. */
export const start: Bench = async ({ tools, report, isQuick }) => {
  await using rig = new BenchRig(tools);
  const results = interleave(isQuick ? 3 : 25, {
    node: (): Start => ({ ...rig.measureNode(), childMs: 0 }),
    ...Object.fromEntries(casesIn(rig).map((each) => [each.name, () => measureStart(rig, each)])),
  });
  const baseline = { name: "node -e 0", value: median(results.node.map(({ wholeMs }) => wholeMs)) };
  for (const { name, isPartial } of casesIn(rig)) {
    const timings = (results as Record<string, Start[]>)[name] ?? [];
    const limited = (value: number) => (isPartial === true ? {} : { limit: atMost(value) });
    const of = (field: keyof Start): number[] => timings.map((timing) => timing[field]);
    report({
      name: `child runs, ${name}`,
      unit: "ms",
      ours: median(of("childMs")),
      baseline,
      ...limited(1.8),
      details: { minMs: Math.min(...of("childMs")), p90Ms: quantile(of("childMs"), 0.9) },
    });
    report({
      name: `whole, ${name}`,
      unit: "ms",
      ours: median(of("wholeMs")),
      baseline,
      ...limited(3.5),
      details: {
        minMs: Math.min(...of("wholeMs")),
        p90Ms: quantile(of("wholeMs"), 0.9),
        recorderGoneMs: median(of("goneMs")),
        cpuMs: median(of("cpuMs")),
        recorderCpuMs: median(of("othersCpuMs")),
      },
    });
  }
  reportEndpoint(rig, { report, rounds: isQuick ? 3 : 50 });
};

/** The same start with the endpoint and without: of a run that is there, since one that is new is waited for with `--direct`. */
function reportEndpoint(rig: BenchRig, { report, rounds }: { report: Report; rounds: number }): void {
  rig.run(track, ["run", "--quiet", "--run-id-file", "run-id", "--", "true"]);
  const runId = readFileSync(join(rig.cwd, "run-id"), "utf8").trim();
  const start = (...args: readonly string[]) =>
    measureStart(rig, { name: "", args: ["--run-id", runId, ...args], options: () => ({ cwd: rig.cwd }) }).childMs;
  const { whole, without } = interleave(rounds, { whole: () => start(), without: () => start("--direct") });
  // Round by round, so that what else the machine does is in both.
  const costs = whole.map((childMs, round) => childMs - (without[round] ?? Number.NaN));
  report({
    name: "child runs, the endpoint's part of it",
    unit: "ms",
    ours: median(costs),
    limit: atMost(2, "ours"),
    details: { p25Ms: quantile(costs, 0.25), p75Ms: quantile(costs, 0.75), wholeMs: median(whole) },
  });
}

function casesIn(rig: BenchRig): readonly Case[] {
  return [
    { name: "new folder", options: () => ({ cwd: rig.newFolder() }) },
    { name: "with a database", options: () => ({ cwd: rig.cwd }) },
    { name: "in a git repository", options: () => ({ cwd: repositoryIn(rig) }) },
    { name: "stdout a pipe", options: () => ({ stdout: "pipe" }) },
    { name: "stdout a file", options: () => ({ stdout: join(rig.root, "output.txt") }) },
    { name: "on a terminal", options: () => ({ stdout: "terminal" }) },
    { name: "no system metrics", args: ["--no-system-metrics"], options: () => ({}), isPartial: true },
    {
      name: "no capture, stdout a pipe",
      args: ["--capture", "off"],
      options: () => ({ stdout: "pipe" }),
      isPartial: true,
    },
  ];
}

function measureStart(rig: BenchRig, { args = [], options }: Case): Start {
  const stamp = join(rig.root, "stamp");
  const command = [track, "run", "--quiet", ...args, "--", rig.tools.path("stamp"), stamp];
  const timing = rig.measure(command, options());
  return { ...timing, childMs: (Number(readFileSync(stamp, "utf8")) - timing.startedNs) / 1e6 };
}

/** A repository of a usual size, with a change and untracked files, and a database beside them. */
function repositoryIn(rig: BenchRig): string {
  const folder = join(rig.root, "repository");
  if (mkdirSync(folder, { recursive: true }) === undefined) return folder;
  const git = (...args: readonly string[]): string =>
    rig.run("git", ["-c", "user.name=b", "-c", "user.email=b", ...args], { cwd: folder });
  git("init", "--quiet");
  for (let file = 0; file < 200; file += 1)
    writeFileSync(join(folder, `module_${file}.py`), `value = ${file}\n`.repeat(50));
  git("add", ".");
  git("commit", "--quiet", "-m", "first");
  writeFileSync(join(folder, "module_7.py"), "value = 8\n");
  writeFileSync(join(folder, "notes.txt"), "untracked\n");
  return folder;
}
