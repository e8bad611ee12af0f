import { existsSync, readdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { metricsOf, processesIn, tagsOf, TrackRig, waitFor } from "./rig.ts";

const sayAndStay = 'echo "late=2 step=2" >> $TRACK_LOG; exec sleep 1000';

/** Starts a run, or goes on with one, says something, and loses it with all its processes; its journal stays. */
async function lose(
  rig: TrackRig,
  args: readonly string[],
  { script = ":", env = {} }: { readonly script?: string; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<void> {
  const before = new Set(rig.journalNames());
  const started = rig.start([...args, "--", "sh", "-c", `${script}; ${sayAndStay}`], { env });
  const name = await waitFor(() => rig.journalNames().find((found) => !before.has(found)));
  const folder = join(rig.journals, name);
  const entries = () =>
    readdirSync(folder)
      .filter((file) => file.startsWith("entries-"))
      .map((file) => readFileSync(join(folder, file), "utf8"))
      .join("");
  await waitFor(() => existsSync(join(folder, "command.json")) && entries().includes('"late"'));
  const processes = processesIn(rig.root);
  for (const pid of processes) process.kill(pid, "SIGSTOP");
  for (const pid of processes) process.kill(pid, "SIGKILL");
  await started.finished;
  await waitFor(() => processesIn(rig.root).length === 0);
}

const otherUri = (rig: TrackRig): string => `sqlite:///${join(rig.root, "other/mlflow.db")}`;

async function historyOf(rig: TrackRig, runId: string, key: string): Promise<readonly number[]> {
  await using store = await rig.openStore(otherUri(rig));
  return (await store.getMetricHistory(runId, key)).items.map(({ value }) => value);
}

describe("track sync --to, of a run that is continued", () => {
  async function setup() {
    const rig = TrackRig.setup();
    const said = 'echo "early=1 step=1" >> $TRACK_LOG; echo first words; exit 3';
    await rig.track(["run", "-n", "twice", "-e", "deep", "-p", "lr=1", "--", "sh", "-c", said]);
    const { info } = await rig.run();
    await lose(rig, ["resume", info.runId]);
    return { rig, runId: info.runId };
  }

  test("brings what its own store has of it as well, files too, under its id", async () => {
    const { rig, runId } = await setup();
    await using _ = rig;
    const sent = await rig.track(["sync", "--to", otherUri(rig)]);
    expect(sent, sent.stderr).toMatchObject({ code: 0, stderr: "" });
    expect(rig.journalNames()).toEqual([]);
    const run = await rig.run(otherUri(rig));
    expect(run.info).toMatchObject({ runId, runName: "twice", status: "KILLED" });
    expect(metricsOf(run)).toEqual({ early: 1, late: 2 });
    expect(tagsOf(run)).toMatchObject({
      "track.attempt": "2",
      "track.attempt.1.exit_code": "3",
      "track.end_reason": "lost",
    });
    expect(run.data.params).toEqual([{ key: "lr", value: "1" }]);
    expect(run.info.artifactUri).toContain(join(rig.root, "other"));
    expect(readFileSync(join(run.info.artifactUri, "console/attempt-1.log"), "utf8")).toBe("first words\n");
  });

  test("is left with what it holds where its own store is gone, and one line says so", async () => {
    const { rig, runId } = await setup();
    await using _ = rig;
    renameSync(join(rig.cwd, "mlflow.db"), join(rig.cwd, "gone.db"));
    const sent = await rig.track(["sync", "--to", otherUri(rig)]);
    expect(sent.code).toBe(0);
    expect(sent.stderr).toMatch(
      new RegExp(
        `^track: run ${runId.slice(0, 8)}: only what this journal holds is sent, .*: no such database: .*\n$`,
        "u",
      ),
    );
    const run = await rig.run(otherUri(rig));
    expect(run.info).toMatchObject({ runId, status: "KILLED" });
    expect(metricsOf(run)).toEqual({ late: 2 });
    expect(existsSync(join(rig.cwd, "mlflow.db"))).toBe(false);
  });

  test("finds the run that came there before, from a journal or a copy", async () => {
    const { rig, runId } = await setup();
    await using _ = rig;
    await rig.track(["import", rig.trackingUri, "--tracking-uri", otherUri(rig)]);
    renameSync(join(rig.cwd, "mlflow.db"), join(rig.cwd, "gone.db"));
    const sent = await rig.track(["sync", "--to", otherUri(rig)]);
    expect(sent, sent.stderr).toMatchObject({ code: 0 });
    expect(sent.stderr).not.toContain("only what");
    const run = await rig.run(otherUri(rig));
    expect(metricsOf(run)).toEqual({ early: 1, late: 2 });
    expect(await historyOf(rig, runId, "early")).toEqual([1]);
  });
});

test("track sync --to takes a rank whose run was known, with that run", async () => {
  await using rig = TrackRig.setup();
  const slurm = { SLURM_JOB_ID: "77", SLURM_STEP_ID: "0", SLURM_NTASKS: "2", SLURM_NODEID: "0", SLURM_LOCALID: "0" };
  const first = rig.start(["run", "--rank", "auto", "--", "sh", "-c", `:; ${sayAndStay}`], {
    env: { ...slurm, SLURM_PROCID: "0" },
  });
  const { runId } = (await waitFor(() => rig.run())).info;
  // Both are lost at once.
  await lose(rig, ["run", "--rank", "auto"], { env: { ...slurm, SLURM_PROCID: "1" } });
  await first.finished;
  const sent = await rig.track(["sync", "--to", otherUri(rig)]);
  expect(sent, sent.stderr).toMatchObject({ code: 0 });
  expect(sent.stdout.match(/\tsent\t/gu)).toHaveLength(2);
  const run = await rig.run(otherUri(rig));
  expect(run.info).toMatchObject({ runId, status: "KILLED" });
  expect(tagsOf(run)).toMatchObject({ "track.rank.1.status": "KILLED", "track.rank.1.end_reason": "lost" });
});

test("track sync --to puts a run of an experiment that code chose by its id into the one of that name", async () => {
  await using rig = TrackRig.setup();
  await rig.track(["experiments", "create", "one"]);
  await rig.track(["experiments", "create", "chosen"]);
  const create = `curl -sf -u "$MLFLOW_TRACKING_USERNAME:$MLFLOW_TRACKING_PASSWORD" -H 'content-type: application/json' \
    -d '{"experiment_id":"2","run_name":"child","tags":[{"key":"mlflow.parentRunId","value":"'$TRACK_RUN_ID'"}]}' \
    $MLFLOW_TRACKING_URI/api/2.0/mlflow/runs/create`;
  await lose(rig, ["run", "-n", "outer"], { script: create });
  const sent = await rig.track(["sync", "--to", otherUri(rig)]);
  expect(sent, sent.stderr).toMatchObject({ code: 0, stderr: "" });
  await using store = await rig.openStore(otherUri(rig));
  const chosen = await store.getExperimentByName("chosen");
  const { items } = await store.searchRuns({ experimentIds: [chosen?.experimentId ?? ""] });
  expect(items.map(({ info }) => info.runName)).toEqual(["child"]);
  const [outer] = (await rig.runs(otherUri(rig))).filter(({ info }) => info.runName === "outer");
  expect(tagsOf(items[0] as never)["mlflow.parentRunId"]).toBe(outer?.info.runId);
});
