import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { type Finished, metricsOf, paramsOf, TrackRig } from "../e2e/rig.ts";
import { mlflowEnvironment } from "./mlflow-agent.ts";
import { clientVersions, newestMlflow, venvProgram } from "./mlflow-versions.ts";
import { trackScript } from "./tracked-script.ts";
import { isFull } from "../only-if.ts";
import { testWith } from "./with-mlflow.ts";

const versions = isFull ? clientVersions : [newestMlflow];

describe.each(versions)("track run --autolog with MLflow $version", (version) => {
  testWith(version)("a program that never mentions MLflow leaves params, metrics and the model", async () => {
    await using rig = TrackRig.setup();
    const request = { version, script: "autolog_plain.py", options: ["--autolog"] };
    const { finished, said, home, others } = await trackScript(rig, request);
    expect(finished.code).toBe(0);
    // A forked worker has what its parent had imported; it does not use it.
    expect(said).toEqual({ fork: true, spawn: false, score: 1 });
    expect(finished.stdout.trim().split("\n")).toHaveLength(1);
    expect(finished.stderr).not.toContain("INFO mlflow.tracking");
    expect(others).toEqual([]);
    expect(home.info.status).toBe("FINISHED");
    expect(paramsOf(home)).toMatchObject({ C: "0.5" });
    expect(metricsOf(home)).toMatchObject({ training_score: 1, LogisticRegression_score_features: 1 });
    const models = rig.spawn("find", [".", "-name", "MLmodel"], {});
    expect((await models.finished).stdout.trim().split("\n")).toHaveLength(1);
  });
});

describe("who gets it", () => {
  let rig: TrackRig;
  let modules: string;
  beforeAll(() => {
    rig = TrackRig.setup();
    // Enough to be imported under the name of a library that MLflow logs.
    modules = join(rig.root, "modules");
    mkdirSync(join(modules, "xgboost"), { recursive: true });
    writeFileSync(join(modules, "xgboost/__init__.py"), "__version__ = '2.1.0'\n");
    return () => rig[Symbol.asyncDispose]();
  });

  const importing = "import sys, xgboost; print('mlflow' in sys.modules)";
  const autolog = (python: string, args: readonly string[], env: Record<string, string> = {}): Promise<Finished> =>
    rig.track(["run", "--autolog", "--", python, ...args], {
      env: { ...mlflowEnvironment(rig.cwd), PYTHONPATH: modules, ...env },
    });

  testWith(newestMlflow)("rank 0 and no other, and not before a library is imported", async () => {
    const python = venvProgram(newestMlflow, "python");
    const nothing = autolog(python, ["-c", "import sys, json; print('mlflow' in sys.modules)"]);
    const answers = [await nothing, await autolog(python, ["-c", importing], { RANK: "1", WORLD_SIZE: "2" })];
    expect(answers.map(({ stdout }) => stdout)).toEqual(["False\n", "False\n"]);
    const first = await autolog(python, ["-c", importing], { RANK: "0", SLURM_PROCID: "0" });
    expect(first).toMatchObject({ code: 0, stdout: "True\n" });
    const asking = "import mlflow, mlflow.utils.import_hooks as h; print('sklearn' in h._post_import_hooks)";
    expect(await autolog(python, ["-c", asking])).toMatchObject({ code: 0, stdout: "True\n" });
  });

  test("where MLflow is missing one line says so, whatever the number of processes", async () => {
    const nested = "import subprocess, sys, xgboost; subprocess.run([sys.executable, '-c', 'import xgboost'])";
    const { code, stderr } = await autolog("python3", ["-c", nested]);
    expect(code).toBe(0);
    expect(stderr.match(/^track: --autolog: MLflow is not installed in .+$/gmu)).toHaveLength(1);
    expect((await autolog("python3", ["-c", "pass"])).stderr).not.toContain("--autolog");
  });

  test("a flag of the interpreter that keeps the hook out is named once", async () => {
    const { code, stderr } = await autolog("python3", ["-uI", "-c", "pass"]);
    expect(code).toBe(0);
    expect(stderr).toContain("track: --autolog does nothing here: python -I ignores PYTHONPATH\n");
  });

  test("--no-python-hook and --autolog are a mistake together", async () => {
    const done = await rig.track(["run", "--autolog", "--no-python-hook", "--", "true"]);
    expect(done).toMatchObject({ code: 125, stderr: expect.stringContaining("hint: give one of the two") });
  });
});
