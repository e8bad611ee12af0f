import { spawnSync } from "node:child_process";
import { beforeAll, describe, expect, test } from "vitest";
import { metricsOf, paramsOf, tagsOf, TrackRig } from "../e2e/rig.ts";
import { clientVersions, isInstalled, newestMlflow, tensorflowMlflow, venvProgram } from "./mlflow-versions.ts";
import { mlflowEnvironment } from "./mlflow-agent.ts";
import { type Family, kinOf, trackScript } from "./tracked-script.ts";
import { describeIf, isFull, onlyFull, testIf } from "../only-if.ts";
import { describeWith } from "./with-mlflow.ts";

const fitted = { C: "0.5", solver: "lbfgs" };
const trained = { training_score: expect.any(Number), training_accuracy_score: expect.any(Number) };

describe.each(clientVersions)("the run of a command that uses MLflow $version", (version) => {
  const testOfAll = testIf(isFull || version === newestMlflow, `MLflow ${version.version}: ${onlyFull}`);
  describeWith(version)("with the hook", () => {
    const rig = shareRig();

    test("(a) start_run, then autolog and fit, then log_metric: one run", async () => {
      const family = await trackScript(rig(), { version, script: "keeper_sequences.py", args: ["a"] });
      expectOneRun(family);
      expect(metricsOf(family.home)).toMatchObject({ ...trained, test_score: 1 });
      expect(paramsOf(family.home)).toMatchObject(fitted);
    });

    test("(b) autolog and fit, then `with active_run()`, then a second fit: one run, and below it the second fit", async () => {
      const family = await trackScript(rig(), { version, script: "keeper_sequences.py", args: ["b"] });
      const { home, said, others } = family;
      expect(family.finished.code).toBe(0);
      expect(home.info.status).toBe("FINISHED");
      expect(said).toMatchObject({ home: home.info.runId, after_fit: home.info.runId, inside: home.info.runId });
      expect(paramsOf(home)).toMatchObject(fitted);
      expect(metricsOf(home)).toMatchObject({
        ...trained,
        LogisticRegression_score_features: 1,
        test_score: 1,
        after_all: 3,
      });
      expect(tagsOf(home)).toMatchObject({ note: "entered", "mlflow.autologging": "sklearn" });
      expect(kinOf(family)).toEqual([[expect.any(String), home.info.runId, "FINISHED"]]);
      expect(said["last"]).toBe(others[0]?.info.runId);
      expect(paramsOf(others[0] ?? home)).toMatchObject({ ...fitted, C: "0.1" });
      expect(metricsOf(others[0] ?? home)).toMatchObject(trained);
    });

    test("(c) log_param, then autolog and fit, then `with active_run()`: one run", async () => {
      const family = await trackScript(rig(), { version, script: "keeper_sequences.py", args: ["c"] });
      expectOneRun(family);
      expect(paramsOf(family.home)).toMatchObject({ ...fitted, dataset: "tiny" });
      expect(metricsOf(family.home)).toMatchObject({ ...trained, test_score: 1 });
    });

    test("every way to start a run, one after the other", async () => {
      // The hook knows the parent even where a script has lost the variable that tells MLflow.
      const shell = 'unset MLFLOW_RUN_CONTEXT; exec "$0" "$@"';
      const family = await trackScript(rig(), { version, script: "keeper_rows.py", shell });
      const { home, said } = family;
      const id = home.info.runId;
      expect(family.finished.code).toBe(0);
      expect(home.info.status).toBe("FINISHED");
      expect(said).toMatchObject({
        left_for_the_first: id,
        implicit: id,
        second_while_open: true,
        ended: null,
        implicit_again: id,
        thread_implicit: id,
      });
      expect(said["other_started"]).toBe(said["other"]);
      expect(metricsOf(home)).toEqual({ again: 2, from_thread: 3 });
      expect(tagsOf(home)).toMatchObject({ implicit: "1" });
      expect(kinOf(family)).toEqual([
        ["below", id, "FINISHED"],
        ["further", id, "FINISHED"],
        ["grandchild", said["further"], "FINISHED"],
        ["in a thread", id, "FINISHED"],
        ["last", id, "FINISHED"],
        ["leaves", id, "FINISHED"],
        ["leaves badly", id, "FAILED"],
        ["other", id, "FINISHED"],
        ["trial", id, "FINISHED"],
      ]);
    });

    testOfAll("a run that the script opens itself takes each fit in it; sys.exit(0) inside is no failure", async () => {
      const family = await trackScript(rig(), { version, script: "keeper_first.py", options: ["-n", "named"] });
      const { home, said, others } = family;
      expect(family.finished.code).toBe(0);
      expect(said).toMatchObject({ first: home.info.runId, after: null, entered_again: home.info.runId });
      expect(home.info).toMatchObject({ status: "FINISHED", runName: "named" });
      expect(tagsOf(home)).toMatchObject({ team: "vision", "mlflow.note.content": "why" });
      expect(tagsOf(home)).not.toHaveProperty("mlflow.autologging");
      expect(paramsOf(home)).toMatchObject(fitted);
      expect(metricsOf(home)).toMatchObject({ "LogisticRegression_score-2_features-2": 1 });
      expect(kinOf(family)).toEqual([[expect.any(String), home.info.runId, "FINISHED"]]);
      expect(said["last"]).toBe(others[0]?.info.runId);
    });

    testOfAll("fits that fail and fits that do not", async () => {
      const family = await trackScript(rig(), { version, script: "keeper_fits.py" });
      const { home, said, others } = family;
      const id = home.info.runId;
      expect(family.finished.code).toBe(0);
      expect(home.info.status).toBe("FINISHED");
      expect(said).toMatchObject({
        failed: expect.stringContaining("inconsistent"),
        after_failed: id,
        open_again: id,
        still_open: id,
        log_model: id,
        evaluated: id,
      });
      expect(paramsOf(home)).toMatchObject({ C: "7.0" });
      expect(metricsOf(home)).toMatchObject({ implicit: 1, max_error: 0.5 });
      const again = others.find((run) => run.info.runId === said["evaluated_again"]);
      expect(again && metricsOf(again)).toMatchObject({ max_error: 0.5 });
      const second = others.find((run) => run.info.runId === said["second"]);
      expect(second && paramsOf(second)).toMatchObject(fitted);
      // What score() said after the run was over.
      expect(second && metricsOf(second)).toHaveProperty("LogisticRegression_score-2_unknown_dataset");
      const own = others.find((run) => run.info.runId === said["own"]);
      expect(own && paramsOf(own)).toMatchObject({ C: "0.25" });
      expect(others.map((run) => [tagsOf(run)["mlflow.parentRunId"], run.info.status])).toEqual([
        [id, "FAILED"],
        [id, "FINISHED"],
        [id, "FINISHED"],
        [id, "FINISHED"],
      ]);
    });

    testOfAll("a failed fit that the script catches is no failure of the run", async () => {
      const family = await trackScript(rig(), { version, script: "keeper_fits.py", args: ["and no more"] });
      expect(family.said["failed"]).toContain("inconsistent");
      expect(paramsOf(family.home)).toMatchObject({ C: "7.0" });
      expect(family.home.info.status).toBe("FINISHED");
    });

    testOfAll("worker processes of every kind", async () => {
      const family = await trackScript(rig(), { version, script: "keeper_workers.py" });
      const { home, said } = family;
      const id = home.info.runId;
      expect(family.finished.code).toBe(0);
      expect(said).toMatchObject({
        fork: { implicit: id },
        forkserver: { implicit: id },
        subprocess: { implicit: id },
      });
      expect(metricsOf(home)).toEqual({ fork: 1, forkserver: 1, subprocess: 1 });
      expect(kinOf(family)).toEqual([
        ["fork", id, "FINISHED"],
        ["forkserver", id, "FINISHED"],
        ["spawn", id, "FINISHED"],
        ["subprocess", id, "FINISHED"],
      ]);
      expect(home.info.status).toBe("FINISHED");
    });

    testOfAll("two ranks that start a run are in the same", async () => {
      const shell = 'RANK=0 WORLD_SIZE=2 "$0" "$@" & RANK=1 WORLD_SIZE=2 "$0" "$@"; wait $!';
      const family = await trackScript(rig(), { version, script: "keeper_workers.py", args: ["rank"], shell });
      expectOneRun(family, "started");
      expect(metricsOf(family.home)).toEqual({ rank_0: 1, rank_1: 1 });
    });

    testOfAll("an experiment or a store of the script's own choice", async () => {
      const family = await trackScript(rig(), { version, script: "keeper_choices.py", args: [rig().root] });
      const { home, said, finished } = family;
      expect(finished.code).toBe(0);
      expect(said).toMatchObject({ chosen: home.info.runId, elsewhere: [null, null, null] });
      expect(metricsOf(home)).toEqual({ inside: 1 });
      expect(family.others).toEqual([]);
      expect(finished.stderr.match(/track: the program chose sqlite/gu)).toHaveLength(1);
      expect(finished.stderr).toContain(`hint: leave out set_tracking_uri`);
    });

    testOfAll("an experiment that is given by its id", async () => {
      const code =
        "import mlflow; made, other = (mlflow.create_experiment(name) for name in ('made', 'other'))\n" +
        "with mlflow.start_run(experiment_id=made) as run: print(run.info.run_id, run.info.experiment_id == made)";
      const options = { env: mlflowEnvironment(rig().cwd) };
      const { stdout } = await rig().track(["run", "--", venvProgram(version, "python"), "-c", code], options);
      await using store = await rig().openStore();
      const [runId = "", isThere] = stdout.trim().split(" ");
      const { info } = await store.getRun(runId);
      expect([isThere, (await store.getExperiment(info.experimentId)).name]).toEqual(["True", "made"]);
    });
  });
});

describeWith(newestMlflow)("where the loopback endpoint cannot be reached", () => {
  const rig = shareRig();
  const request = { version: newestMlflow, script: "keeper_network.py" };

  testIf(spawnSync("unshare", ["-rn", "true"]).status === 0, "no network namespace can be made here")(
    "the store itself is used, without its token",
    async () => {
      const family = await trackScript(rig(), { ...request, shell: 'exec unshare -rn -- "$0" "$@"' });
      expectOneRun(family, "started");
      expect(family.said).toMatchObject({ uri: rig().trackingUri, credentials: [] });
      expect(metricsOf(family.home)).toEqual({ inside: 1 });
    },
  );

  test("and so on another host", async () => {
    const elsewhere = 'TRACK_NETWORK="another boot net:[1]" exec "$0" "$@"';
    const family = await trackScript(rig(), { ...request, args: ["again"], shell: elsewhere });
    expectOneRun(family, "started");
    expect(family.said).toMatchObject({ uri: rig().trackingUri, credentials: [] });
  });
});

describeIf(isFull && isInstalled(tensorflowMlflow), onlyFull)("with TensorFlow's Keras", () => {
  const rig = shareRig();

  test.each([
    ["a", { epochs: "2" }, { test_score: 1 }],
    ["b", { epochs: "2" }, { test_score: 1, after_all: 3 }],
    ["c", { epochs: "2", dataset: "tiny" }, { test_score: 1 }],
  ])("(%s) one run with all of it", async (way, params, metrics) => {
    const request = { version: tensorflowMlflow, script: "keeper_keras.py", args: [way] };
    const family = await trackScript(rig(), request);
    const { home, others } = family;
    expect(family.finished.code).toBe(0);
    expect(family.said).toMatchObject({ home: home.info.runId, inside: home.info.runId });
    expect(home.info.status).toBe("FINISHED");
    expect(paramsOf(home)).toMatchObject(params);
    expect(metricsOf(home)).toMatchObject({ ...metrics, loss: expect.any(Number) });
    expect(others.map((run) => [tagsOf(run)["mlflow.parentRunId"], paramsOf(run)["epochs"]])).toEqual(
      way === "b" ? [[home.info.runId, "3"]] : [],
    );
  });
});

describeWith(newestMlflow)("without the hook MLflow is plain", () => {
  const rig = shareRig();
  const options = ["--no-python-hook"];

  test("(b) there is no active run after a fit, and entering it fails", async () => {
    const request = { version: newestMlflow, script: "keeper_sequences.py", args: ["b"], options };
    const { finished, home, others } = await trackScript(rig(), request);
    expect(finished.code).toBe(1);
    expect(finished.stderr).toContain("TypeError");
    expect(home.info.status).toBe("FAILED");
    expect(paramsOf(home)).toMatchObject(fitted);
    expect(others).toEqual([]);
  });

  test("the first start takes the run, whatever it is; every other run is a child", async () => {
    const { home, said, others } = await trackScript(rig(), {
      version: newestMlflow,
      script: "keeper_rows.py",
      options,
    });
    expect(said).toMatchObject({ nested_first: home.info.runId, left_for_the_first: null });
    expect(said["implicit_again"]).not.toBe(home.info.runId);
    const strays = others.filter((run) => run.info.runName !== "grandchild" && run.info.runName !== "below");
    expect(strays.length).toBeGreaterThan(6);
    expect(new Set(strays.map((run) => tagsOf(run)["mlflow.parentRunId"]))).toEqual(new Set([home.info.runId]));
  });
});

function shareRig(): () => TrackRig {
  let rig: TrackRig | undefined;
  beforeAll(() => {
    rig = TrackRig.setup();
    return () => rig?.[Symbol.asyncDispose]();
  });
  return () => {
    if (rig === undefined) throw new Error("no rig outside of tests");
    return rig;
  };
}

function expectOneRun({ finished, home, others, said }: Family, key = "inside"): void {
  expect(finished.code).toBe(0);
  expect(
    finished.stdout
      .trim()
      .split("\n")
      .filter((line) => !line.startsWith("said ")),
  ).toEqual([]);
  expect(said).toMatchObject({ home: home.info.runId, [key]: home.info.runId });
  expect(home.info.status).toBe("FINISHED");
  expect(others).toEqual([]);
}
