import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { waitFor } from "../e2e/rig.ts";
import type { Bench } from "./bench.ts";
import { BenchRig, interleave, track } from "./bench-rig.ts";
import { checkPoints } from "./check-points.ts";
import { atMost, median, quantile } from "./figure.ts";

/** What one `track log metric` of a shell script costs. */
export const logCommand: Bench = async ({ tools, report, isQuick }) => {
  await using rig = new BenchRig(tools);
  const rounds = isQuick ? 3 : 25;
  const file = join(rig.root, "environment");
  const script = `env -0 > '${file}.new'; mv '${file}.new' '${file}'; while [ ! -e end ]; do sleep 0.1; done`;
  const run = rig.start(["run", "--quiet", "--", "sh", "-c", script]);
  await waitFor(() => existsSync(file), { what: "the command runs" });
  const env = readEnvironment(file);
  const results = interleave(rounds, {
    node: () => rig.measureNode(),
    log: () => rig.measure([track, "log", "metric", "loss=0.3", "--step", "1"], { env }),
  });
  rig.run("touch", ["end"]);
  if ((await run.finished).code !== 0) throw new Error(`the run failed: ${run.stderr()}`);
  checkPoints(rig.database, "\"key\" = 'loss' AND step = 1", rounds + 1);
  const wholes = results.log.map(({ wholeMs }) => wholeMs);
  report({
    name: "track log metric",
    unit: "ms",
    ours: median(wholes),
    baseline: { name: "node -e 0", value: median(results.node.map(({ wholeMs }) => wholeMs)) },
    limit: atMost(1.6),
    details: {
      minMs: Math.min(...wholes),
      p90Ms: quantile(wholes, 0.9),
      cpuMs: median(results.log.map(({ cpuMs }) => cpuMs)),
    },
  });
};

function readEnvironment(file: string): Record<string, string> {
  const entries = readFileSync(file, "utf8")
    .split("\0")
    .filter((entry) => entry.includes("="));
  return Object.fromEntries(
    entries.map((entry) => [entry.slice(0, entry.indexOf("=")), entry.slice(entry.indexOf("=") + 1)]),
  );
}
