import { join } from "node:path";
import type { Bench, BenchContext } from "./bench.ts";
import { BenchRig, track } from "./bench-rig.ts";
import { checkPoints } from "./check-points.ts";
import { atLeast, atMost, median } from "./figure.ts";
import { type Memory, watchRun } from "./processes.ts";

interface Flood {
  readonly rowsPerSecond: number;
  readonly sentMs: number;
  readonly memory: readonly Memory[];
}

/** A million points through the socket into SQLite, held against a bare insert loop into the same table. */
export const ingest: Bench = async (context) => {
  await measureIngest(context, 1);
  await measureIngest(context, 10);
};

async function measureIngest({ tools, report, isQuick }: BenchContext, keys: number): Promise<void> {
  const points = isQuick ? 100_000 : 1_000_000;
  const floods: Flood[] = [];
  const bare: number[] = [];
  // The bare loop before and after: a machine that others use does not get faster or slower for one of the two alone.
  bare.push(await insertBare(tools, points, keys));
  for (let round = 0; round < 2; round += 1) {
    floods.push(await flood(tools, points, keys));
    bare.push(await insertBare(tools, points, keys));
  }
  const label = keys === 1 ? "1 metric a line" : `${keys} metrics a line`;
  report({
    name: `points through the socket, ${label}`,
    unit: "rows/s",
    ours: median(floods.map((each) => each.rowsPerSecond)),
    baseline: { name: "bare loop", value: median(bare) },
    limit: atLeast(0.5),
    details: { points, sentMs: median(floods.map((each) => each.sentMs)) },
  });
  reportMemory(report, label, floods);
}

function reportMemory(report: BenchContext["report"], label: string, floods: readonly Flood[]): void {
  const rss = floods.map(({ memory }) => memory.map((each) => each.rssMegabytes));
  report({
    name: `recorder's peak memory, ${label}`,
    unit: "MB",
    ours: Math.max(...floods.flatMap(({ memory }) => memory.map((each) => each.peakMegabytes))),
    limit: atMost(150, "ours"),
    details: Object.fromEntries(tenths(rss[0] ?? []).map((value, index) => [`tenth${index + 1}Megabytes`, value])),
  });
  report({
    name: `its growth, second to last quarter, ${label}`,
    unit: "MB",
    ours: median(rss.map((series) => quarter(series, 3) - quarter(series, 1))),
    limit: atMost(10, "ours"),
  });
}

/** Median of one quarter of a series. */
function quarter(series: readonly number[], index: number): number {
  return median(series.slice(Math.floor((series.length * index) / 4), Math.ceil((series.length * (index + 1)) / 4)));
}

function tenths(series: readonly number[]): readonly number[] {
  return Array.from({ length: 10 }, (_, index) => series[Math.floor(((series.length - 1) * index) / 9)] ?? Number.NaN);
}

async function flood(tools: BenchContext["tools"], points: number, keys: number): Promise<Flood> {
  await using rig = new BenchRig(tools);
  const result = join(rig.root, "flood.json");
  const run = rig.start(["run", "--quiet", "--", tools.path("flood"), String(points), String(keys), result]);
  const { memory } = await watchRun(run, rig.root);
  const { sentMs, storedMs } = rig.readJson("flood.json") as { sentMs: number; storedMs: number };
  checkPoints(rig.database, `"key" NOT LIKE 'system/%'`, points);
  return { rowsPerSecond: (points / storedMs) * 1000, sentMs, memory };
}

/** Rows a second of the bare loop, in a process of its own, into a database that a run has made. */
async function insertBare(tools: BenchContext["tools"], points: number, keys: number): Promise<number> {
  await using rig = new BenchRig(tools);
  rig.measure([track, "run", "--quiet", "--no-system-metrics", "--", "true"]);
  const program = join(import.meta.dirname, "programs/insert-loop.ts");
  const elapsedMs = Number(rig.run(process.execPath, [program, rig.database, String(points), String(keys)]));
  checkPoints(rig.database, `"key" NOT LIKE 'system/%'`, points);
  return (points / elapsedMs) * 1000;
}
