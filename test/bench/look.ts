import { DatabaseSync } from "node:sqlite";
import type { Bench } from "./bench.ts";
import { BenchRig, interleave, track } from "./bench-rig.ts";
import { atMost, median, quantile } from "./figure.ts";
import { addPoints, cloneRuns } from "./large-database.ts";

/** Looking at a large database: many runs, and runs with many points. */
export const look: Bench = async ({ tools, report, isQuick }) => {
  await using rig = new BenchRig(tools);
  const points = isQuick ? 50_000 : 1_000_000;
  const template = recordTemplate(rig);
  using database = new DatabaseSync(rig.database);
  const runs = cloneRuns(database, template, isQuick ? 500 : 100_000);
  const [one = "", ten = ""] = runs;
  addPoints(database, one, { points, keys: 1 });
  addPoints(database, ten, { points, keys: 10 });
  database.close();
  const commands = {
    "track ls": ["ls"],
    "track ls --json": ["ls", "--json"],
    "track ls --filter": ["ls", "--filter", "metrics.loss < 0.5 AND params.lr = '0.01'"],
    "track ls --order-by": ["ls", "--order-by", "metrics.loss ASC"],
    "track ls --tree": ["ls", "--tree"],
    "track ls -n 5000": ["ls", "-n", "5000"],
    "track show, 1 metric": ["show", one],
    "track show, 10 metrics": ["show", ten],
    "track show --json": ["show", ten, "--json"],
    "track plot, 1 of 1 metric": ["plot", one, "-m", "curve_0"],
    "track plot, 2 of 10 metrics": ["plot", ten, "-m", "curve_0,curve_1"],
    "track compare": ["compare", one, ten],
  };
  const limited: Readonly<Record<string, number>> = {
    "track ls": 10,
    "track ls --filter": 10,
    "track show, 1 metric": 6,
    "track show, 10 metrics": 6,
  };
  const results = interleave(isQuick ? 2 : 10, {
    node: () => rig.measureNode(),
    ...Object.fromEntries(Object.entries(commands).map(([name, args]) => [name, () => rig.measure([track, ...args])])),
  }) as Record<string, { readonly wholeMs: number }[]>;
  const wholes = (name: string): number[] => (results[name] ?? []).map(({ wholeMs }) => wholeMs);
  for (const name of Object.keys(commands)) {
    report({
      name: `${name}, ${/ (?:show|plot)/u.test(name) ? `${points} points` : `${runs.length + 1} runs`}`,
      unit: "ms",
      ours: median(wholes(name)),
      baseline: { name: "node -e 0", value: median(wholes("node")) },
      ...(limited[name] !== undefined && { limit: atMost(limited[name]) }),
      details: { minMs: Math.min(...wholes(name)), p90Ms: quantile(wholes(name), 0.9) },
    });
  }
};

/** A real run with all that a usual one has. */
function recordTemplate(rig: BenchRig): string {
  const script = 'for step in 1 2 3; do echo "loss=0.$step accuracy=0.9 lr=0.01 step=$step" >> "$TRACK_LOG"; done';
  const options = ["-e", "bench", "-p", "lr=0.01", "-p", "batch=32", "-t", "team=vision", "--run-id-file", "id"];
  rig.measure([track, "run", "--quiet", ...options, "--", "sh", "-c", script]);
  return rig.run("cat", ["id"]).trim();
}
