/**
 * library-loop.ts <library> <points> <result>: logs a million points as a training would, and notes what a call costs with the event
 * loop free (ns, median of batches), how long it took until all was in the store, and the most memory on the way.
 */
import { writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import type * as Library from "../../../src/index.ts";

const [library = "", pointsText, result = ""] = process.argv.slice(2);
const { flush, logMetric, withRun } = (await import(pathToFileURL(library).href)) as typeof Library;
const points = Number(pointsText);
const batch = 200;

await withRun({ runName: "loop" }, async () => {
  const costs: number[] = [];
  let peak = 0;
  const began = performance.now();
  for (let first = 0; first < points; first += batch) {
    const start = process.hrtime.bigint();
    let room: PromiseLike<void> | undefined;
    for (let step = first; step < first + batch; step += 1) room = logMetric("loss", Math.random(), { step });
    costs.push(Number(process.hrtime.bigint() - start) / batch);
    await room;
    await new Promise((resolve) => setImmediate(resolve));
    if (first % 20_000 === 0) peak = Math.max(peak, process.memoryUsage.rss());
  }
  const saidMs = performance.now() - began;
  await flush({ to: "store" });
  const storedMs = performance.now() - began;
  costs.sort((one, other) => one - other);
  const callNs = costs[Math.floor(costs.length / 2)];
  writeFileSync(result, JSON.stringify({ callNs, saidMs, storedMs, peakMegabytes: peak / 2 ** 20 }));
});
