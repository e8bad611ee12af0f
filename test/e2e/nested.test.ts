import { expect, test } from "vitest";
import type { Run } from "../../src/entities/run.ts";
import { metricsOf, paramsOf, tagsOf, TrackRig, waitFor } from "./rig.ts";

const parentOf = (run: Run): string | undefined => tagsOf(run)["mlflow.parentRunId"];

const named = (runs: readonly Run[], name: string): Run => {
  const run = runs.find(({ info }) => info.runName === name);
  if (run === undefined) throw new Error(`no run ${name}`);
  return run;
};

test("three levels deep each run is the child of the one above, whatever ends how", async () => {
  await using rig = TrackRig.setup();
  const inner = "track run -n three -- sh -c 'track log metric at=3; exit 5'";
  const middle = `track run -n two -- sh -c "track log metric at=2; ${inner}; exit 4"`;
  const { code } = await rig.track(["run", "-n", "one", "--", "sh", "-c", `${middle}; track log metric at=1`]);
  expect(code).toBe(0);
  const runs = await rig.runs();
  const [one, two, three] = ["one", "two", "three"].map((name) => named(runs, name)) as [Run, Run, Run];
  expect([one, two, three].map(parentOf)).toEqual([undefined, one.info.runId, two.info.runId]);
  expect([one, two, three].map((run) => run.info.status)).toEqual(["FINISHED", "FAILED", "FAILED"]);
  expect([one, two, three].map((run) => metricsOf(run)["at"])).toEqual([1, 2, 3]);
  expect(tagsOf(three)["track.exit_code"]).toBe("5");
  expect(new Set(runs.map(({ info }) => info.experimentId)).size).toBe(1);
});

test("--no-nested leaves the family at any depth, and what is below that run is its own", async () => {
  await using rig = TrackRig.setup();
  const alone = "track run --no-nested -n alone -- track run -n below -- true";
  await rig.track(["run", "-n", "one", "--", "track", "run", "-n", "two", "--", "sh", "-c", alone]);
  const runs = await rig.runs();
  expect(parentOf(named(runs, "two"))).toBe(named(runs, "one").info.runId);
  expect(parentOf(named(runs, "alone"))).toBeUndefined();
  expect(parentOf(named(runs, "below"))).toBe(named(runs, "alone").info.runId);
});

const sweep = `seq 8 | xargs -P 8 -I@ track run --quiet -n child-@ -p lr=0.@ -- \\
  sh -c 'for step in 1 2 3; do track log metric loss=@.$step --step $step; done; [ @ -ne 5 ]'`;

test.each([
  ["a command", ["run", "-n", "sweep", "--", "sh", "-c", sweep]],
  ["a shell", undefined],
])("eight children at once below %s are all there", async (_, args) => {
  await using rig = TrackRig.setup();
  const script = `set -u\neval "$(track start -n sweep)"\n${sweep}\ntrack end --status-from $?\n`;
  const started = args === undefined ? rig.spawn("sh", ["-c", script]) : rig.start(args);
  // xargs has its own code for a command that failed.
  expect((await started.finished).code).toBe(args === undefined ? 0 : 123);
  const runs = await waitFor(async () => {
    const found = await rig.runs();
    return found.every(({ info }) => info.status !== "RUNNING") ? found : undefined;
  });
  const parent = named(runs, "sweep");
  expect(parent.info.status).toBe("FAILED");
  expect(runs).toHaveLength(9);
  for (const index of [1, 2, 3, 4, 5, 6, 7, 8]) {
    const child = named(runs, `child-${index}`);
    expect(parentOf(child)).toBe(parent.info.runId);
    expect(child.info.status).toBe(index === 5 ? "FAILED" : "FINISHED");
    expect(paramsOf(child)).toEqual({ lr: `0.${index}` });
    expect(metricsOf(child)).toEqual({ loss: Number(`${index}.3`) });
    await using store = await rig.openStore();
    const { items } = await store.getMetricHistory(child.info.runId, "loss");
    expect(items.map(({ step }) => step)).toEqual([1, 2, 3]);
  }
  const { stdout } = await rig.track(["ls", "--tree", "--columns", "run_name"]);
  expect(stdout.trim().split("\n")[0]).toMatch(/^sweep/u);
});
