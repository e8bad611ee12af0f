/** What the compiler must take, and must not, of the package as it is published; compiled by library-package.test.ts, never run. */
import {
  type ActiveRun,
  activeRun,
  getMetricHistory,
  logMetric,
  logParam,
  logTable,
  type Metric,
  type Run,
  type RunStatus,
  searchRuns,
  startRun,
  StoreError,
  TrackingClient,
  withRun,
} from "track";

export async function takes(): Promise<void> {
  const run: ActiveRun = await startRun({ runName: "a", nested: true, tags: { n: 1, deep: { x: [true] } } });
  const id: string = run.info.runId;
  const status: RunStatus = run.info.status;
  await run.end("KILLED");
  const answer: number = await withRun({}, async (inner) => inner.data.params.length);
  const text: string = await withRun({}, () => "sync");
  const points: readonly Metric[] = await getMetricHistory(id, "loss");
  const runs: readonly Run[] = await searchRuns({ experimentIds: [1, "2"], viewType: "ALL" });
  const active: ActiveRun | undefined = activeRun();
  logParam("x", null);
  logTable({ a: [1], b: ["x"] }, "t.json");
  await using again = await new TrackingClient().createRun("0").then(({ info }) => startRun({ runId: info.runId }));
  if (new Error() instanceof StoreError)
    throw new Error(JSON.stringify([answer, text, points, runs, active, status, again]));
}

export async function refuses(run: ActiveRun): Promise<void> {
  // @ts-expect-error a metric is a number
  logMetric("loss", "0.1");
  // @ts-expect-error steps are numbers
  logMetric("loss", 1, { step: "1" });
  // @ts-expect-error no such option
  await startRun({ name: "a" });
  // @ts-expect-error no such status
  await run.end("DONE");
  // @ts-expect-error a run's info is read only
  run.info.runId = "x";
  // @ts-expect-error undefined has no text
  logParam("x", undefined);
  // @ts-expect-error the function is missing
  await withRun({});
  // @ts-expect-error no such view
  await searchRuns({ viewType: "SOME" });
}
