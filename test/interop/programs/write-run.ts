import { openTrackingStore } from "../../../src/store/open-store.ts";

/** `write-run.ts <uri> <run name> <points>`: a run of its own, each point written by itself; prints the run's id. */
async function main(uri: string, runName: string, points: number): Promise<void> {
  await using store = await openTrackingStore(uri, { mode: "write", busyTimeoutMs: 60_000 });
  const { info } = await store.createRun({
    experimentId: "0",
    userId: "ada",
    startTime: Date.now(),
    runName,
    tags: [],
  });
  for (let step = 0; step < points; step++) {
    await store.logBatch(info.runId, {
      metrics: [{ key: "loss", value: 1 / (step + 1), timestamp: Date.now(), step }],
      params: [{ key: `p${step}`, value: runName }],
    });
  }
  await store.updateRun(info.runId, { status: "FINISHED", endTime: Date.now() });
  process.stdout.write(info.runId);
}

const [uri = "", runName = "", points = ""] = process.argv.slice(2);
await main(uri, runName, Number(points));
