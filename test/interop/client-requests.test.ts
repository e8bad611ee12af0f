import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { metricsOf, TrackRig } from "../e2e/rig.ts";
import { clientVersions, newestMlflow } from "./mlflow-versions.ts";
import { trackScript } from "./tracked-script.ts";
import { describeWith, testWith } from "./with-mlflow.ts";

const script = "keeper_requests.py";

let rig: TrackRig;
beforeEach(() => {
  rig = TrackRig.setup();
  return () => rig[Symbol.asyncDispose]();
});

/** For every host, ours too. */
function writeNetrc(): Readonly<Record<string, string>> {
  const path = join(rig.root, "netrc");
  writeFileSync(path, "default login somebody password secret\n", { mode: 0o600 });
  return { NETRC: path };
}

describe.each(clientVersions)("the requests of MLflow $version", (version) => {
  testWith(version)("keep their token, and look for Databricks where there may be some", async () => {
    const { finished, home, said } = await trackScript(rig, { version, script, env: writeNetrc() });
    expect(finished.code, finished.stderr).toBe(0);
    expect(metricsOf(home)).toEqual({ first: 1, again: 2 });
    expect(said).toEqual({
      home: home.info.runId,
      looked_for: [],
      headers: expect.arrayContaining(["User-Agent"]),
      registry: true,
      in_notebook: "7",
      in_cluster: "c1",
      registry_of_spark: "databricks-uc",
    });
  });
});

describeWith(newestMlflow)("without the hook", () => {
  const request = { version: newestMlflow, script, options: ["--no-python-hook"] };

  test("MLflow looks each time, and finds the same", async () => {
    const { said } = await trackScript(rig, request);
    expect(said).toMatchObject({
      looked_for: ["IPython", "dbruntime", "pyspark"],
      in_notebook: "7",
      in_cluster: "c1",
      registry_of_spark: "databricks-uc",
    });
  });

  test("an entry of ~/.netrc takes the token's place, and the refusal names it", async () => {
    const { finished } = await trackScript(rig, { ...request, env: writeNetrc() });
    expect(finished.code).toBe(1);
    expect(finished.stderr).toContain("UNAUTHENTICATED");
    expect(finished.stderr).toContain("~/.netrc");
  });
});
