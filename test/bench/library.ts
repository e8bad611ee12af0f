import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Bench, BenchContext } from "./bench.ts";
import { BenchRig, track } from "./bench-rig.ts";
import { checkPoints } from "./check-points.ts";
import { atLeast, atMost, median } from "./figure.ts";

const entry = join(dirname(track), "../dist/index.js");
const programs = join(import.meta.dirname, "programs");

interface Loop {
  readonly callNs: number;
  readonly saidMs: number;
  readonly storedMs: number;
  readonly peakMegabytes: number;
}

/** The library: a million points, what one call costs, and what its import adds to Node. */
export const library: Bench = async (context) => {
  await measureLoop(context);
  await measureImport(context);
};

async function measureLoop({ tools, report, isQuick }: BenchContext): Promise<void> {
  const points = isQuick ? 100_000 : 1_000_000;
  const loops: Loop[] = [];
  const bare: number[] = [];
  for (let round = 0; round < 2; round += 1) {
    await using rig = new BenchRig(tools);
    rig.run(process.execPath, [join(programs, "library-loop.ts"), entry, String(points), join(rig.root, "loop.json")]);
    checkPoints(rig.database, `"key" = 'loss'`, points);
    loops.push(rig.readJson("loop.json") as Loop);
    // Into the same database, since it is the same file system and the same moment.
    bare.push(Number(rig.run(process.execPath, [join(programs, "insert-loop.ts"), rig.database, String(points), "1"])));
  }
  report({
    name: "points of a program, until they are stored",
    unit: "rows/s",
    ours: median(loops.map(({ storedMs }) => (points / storedMs) * 1000)),
    baseline: { name: "bare loop", value: median(bare.map((elapsedMs) => (points / elapsedMs) * 1000)) },
    limit: atLeast(0.5),
    details: { points, saidMs: median(loops.map(({ saidMs }) => saidMs)) },
  });
  report({
    name: "one logMetric, event loop free",
    unit: "us",
    ours: median(loops.map(({ callNs }) => callNs / 1000)),
    limit: atMost(2, "ours"),
  });
  report({
    name: "the program's memory at full speed",
    unit: "MB",
    ours: Math.max(...loops.map(({ peakMegabytes }) => peakMegabytes)),
    limit: atMost(250, "ours"),
  });
}

async function measureImport({ tools, report, isQuick }: BenchContext): Promise<void> {
  await using rig = new BenchRig(tools);
  const bare = join(rig.root, "bare.mjs");
  const importing = join(rig.root, "importing.mjs");
  writeFileSync(bare, "");
  writeFileSync(importing, `import ${JSON.stringify(entry)};`);
  const times: { bare: number[]; importing: number[] } = { bare: [], importing: [] };
  for (let round = 0; round < (isQuick ? 5 : 25); round += 1) {
    times.bare.push(rig.measure([process.execPath, bare]).wholeMs);
    times.importing.push(rig.measure([process.execPath, importing]).wholeMs);
  }
  report({
    name: "import, over bare Node",
    unit: "ms",
    ours: median(times.importing) - median(times.bare),
    limit: atMost(15, "ours"),
    details: { bareMs: median(times.bare) },
  });
}
