import { beforeEach, expect, test } from "vitest";
import { type Finished, metricsOf, paramsOf, tagsOf, TrackRig } from "../e2e/rig.ts";
import { mlflowEnvironment } from "./mlflow-agent.ts";
import { MlflowServer } from "./mlflow-server.ts";
import { newestMlflow, venvProgram } from "./mlflow-versions.ts";
import { describeWith } from "./with-mlflow.ts";

let rig: TrackRig;
beforeEach(() => {
  rig = TrackRig.setup();
  return () => rig[Symbol.asyncDispose]();
});

const program = `import mlflow
mlflow.log_param("lr", 0.1)
mlflow.log_metric("loss", 0.5, step=2)
with mlflow.start_run(nested=True, run_name="trial"):
    mlflow.log_metric("loss", 0.7)
`;

describeWith(newestMlflow)("MLflow in a shell's run", () => {
  test("logs to that run, through its endpoint", async () => {
    const finished = await inShell(`sqlite:///${rig.cwd}/mlflow.db`);
    expect(finished.code, finished.stderr).toBe(0);
    expect(finished.stdout).toMatch(/^http:\/\/127\.0\.0\.1:\d+\n/u);
    await expectRuns();
  });

  test("logs to that run, on a tracking server that gives it its id", async () => {
    await using server = await MlflowServer.start(newestMlflow, `sqlite:///${rig.cwd}/mlflow.db`, rig.cwd);
    const finished = await inShell(server.url);
    expect(finished.code, finished.stderr).toBe(0);
    await expectRuns();
  });
});

function inShell(uri: string): Promise<Finished> {
  rig.script("program.py", program);
  const text = `set -eu
eval "$(track start -n mine)"
echo "$MLFLOW_TRACKING_URI"
"$PYTHON" program.py
track log metric acc=0.9
track end
`;
  const env = {
    ...mlflowEnvironment(rig.cwd),
    MLFLOW_TRACKING_URI: uri,
    PYTHON: venvProgram(newestMlflow, "python"),
    PATH: undefined,
  };
  const { PATH: _, ...rest } = env;
  return rig.spawn("bash", [rig.script("script.sh", text)], { env: rest }).finished;
}

async function expectRuns(): Promise<void> {
  const runs = await rig.runs();
  expect(runs.map(({ info }) => [info.runName, info.status])).toEqual([
    ["trial", "FINISHED"],
    ["mine", "FINISHED"],
  ]);
  const [trial, mine] = runs as [(typeof runs)[0], (typeof runs)[0]];
  expect(paramsOf(mine)).toEqual({ lr: "0.1" });
  expect(metricsOf(mine)).toEqual({ loss: 0.5, acc: 0.9 });
  expect(metricsOf(trial)).toEqual({ loss: 0.7 });
  expect(tagsOf(trial)["mlflow.parentRunId"]).toBe(mine.info.runId);
}
