import { closeSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { Bench, BenchContext } from "./bench.ts";
import { BenchRig, interleave, track } from "./bench-rig.ts";
import { checkPoints } from "./check-points.ts";
import { atMost, median } from "./figure.ts";
import { watchRun } from "./processes.ts";

/** One line in so many says metrics. */
const linesPerMetric = 50;

/** What taking metrics from the output costs the output, and the recorder. */
export const scrape: Bench = async ({ tools, report, isQuick }) => {
  const bytes = isQuick ? 10e6 : 100e6;
  await using rig = new BenchRig(tools);
  const log = join(rig.root, "big.log");
  const metricLines = writeLog(log, bytes);
  const pump = (what: string): number => {
    const command = [track, "run", "--quiet", "--scrape", what, "--", "cat", log].map((word) => `'${word}'`).join(" ");
    rig.run("sh", ["-c", `${command} | '${tools.path("stream")}' drain '${join(rig.root, "stream.json")}'`]);
    return (rig.readJson("stream.json") as { readonly ms: number }).ms;
  };
  const { auto, off } = interleave(isQuick ? 1 : 5, { auto: () => pump("auto"), off: () => pump("off") });
  report({
    name: `${bytes / 1e6} MB through a pipe, scraped`,
    unit: "ms",
    ours: median(auto),
    baseline: { name: "not scraped", value: median(off) },
    limit: atMost(1.2),
  });
  await reportRecorder({ tools, report, isQuick }, log, metricLines);
};

async function reportRecorder({ tools, report }: BenchContext, log: string, metricLines: number): Promise<void> {
  await using rig = new BenchRig(tools);
  const began = performance.now();
  const run = rig.start(["run", "--quiet", "--no-system-metrics", "--scrape", "auto", "--", "cat", log]);
  const { memory } = await watchRun(run, rig.root);
  checkPoints(rig.database, `"key" = 'loss'`, metricLines);
  report({
    name: "until all of it is stored",
    unit: "ms",
    ours: performance.now() - began,
    limit: atMost(30_000, "ours"),
  });
  report({
    name: "recorder's peak memory",
    unit: "MB",
    ours: Math.max(...memory.map(({ peakMegabytes }) => peakMegabytes)),
    limit: atMost(150, "ours"),
  });
}

/** Lines as training programs log them; returns how many of them say a loss. */
function writeLog(path: string, bytes: number): number {
  const file = openSync(path, "w");
  let metricLines = 0;
  for (let line = 0, written = 0; written < bytes;) {
    let text = "";
    for (; text.length < 1e6; line += 1) {
      const isMetric = line % linesPerMetric === 0;
      text += isMetric
        ? `2024-03-01 12:30:05,123 INFO epoch ${Math.floor(line / 1e6)} step ${line} loss=${(1 / (1 + line)).toFixed(6)} lr=0.001\n`
        : `2024-03-01 12:30:05,123 INFO worker ${line % 8} has read shard ${line} of the data set from the cache\n`;
      if (isMetric) metricLines += 1;
    }
    written += writeSync(file, text);
  }
  closeSync(file);
  return metricLines;
}
