import { spawn } from "node:child_process";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { describe, expect, test } from "vitest";
import { RestRig } from "../server/rest-rig.ts";
import { makeTestFolder } from "./interop-folder.ts";
import { mlflowEnvironment } from "./mlflow-agent.ts";
import { isInstalled, type MlflowVersion, mlflowVersions, venvProgram } from "./mlflow-versions.ts";

/** What any MLflow's server lets its client see. */
const expected = {
  changed_param: "INVALID_PARAMETER_VALUE",
  run: {
    status: "FINISHED",
    name: "parent",
    params: 252,
    lr: "0.1",
    loss: 0.2,
    odd: "nan",
    huge: true,
    colour: "grün",
    gone: false,
    note: "text",
  },
  history: [1, 2, 3, 4, 5].map((part, step) => [step, 1 / part]),
  bulk: 2500,
  parent: true,
  found: ["parent"],
  killed: "KILLED",
  deleted: ["child"],
  renamed: ["renamed", "FAILED"],
  no_run: "RESOURCE_DOES_NOT_EXIST",
  resumed: true,
  taken_name: "RESOURCE_ALREADY_EXISTS",
  experiments: ["Default", "driven", "renamed"],
  pages: true,
  stage: "deleted",
  tag: "y",
  no_experiment: "RESOURCE_DOES_NOT_EXIST",
  artifacts: ["d.json", "notes"],
  notes: [["notes/a.txt", 5]],
  big: true,
  odd_names: ["odd/a&b=c;d.txt", "odd/plus+sign.txt", "odd/q?mark.txt", "odd/sp ace.txt", "odd/ümlaut.txt"],
  text: "hello",
  model: { status: "READY", params: { factor: "2" }, metrics: [["score", 0.5, "numbers"]], run: true },
  models: ["doubler"],
  inputs: ["numbers"],
  outputs: [true],
  predicted: [2, 4],
  versions: [1, 2],
  second: [2, true],
  by_alias: [6],
  by_number: [8],
  registered: ["doubler"],
  version: ["the first", "yes", ["best"]],
  left: [1],
  no_model: "RESOURCE_DOES_NOT_EXIST",
  no_logged_model: "RESOURCE_DOES_NOT_EXIST",
};

describe.each(mlflowVersions.filter(isInstalled))("MLflow $version's client on our server", (version) => {
  test.each([
    ["artifacts through the proxy", "mlflow-artifacts:"],
    ["artifacts in a folder of its own", undefined],
  ])("everything that programs use, %s", async (_where, artifactRoot) => {
    const credentials = { user: "ada", token: "0123456789abcdef" };
    await using rig = await RestRig.start({ credentials, ...(artifactRoot !== undefined && { artifactRoot }) });
    expect(await drive(version, rig.url, credentials)).toEqual(expected);
    expect(rig.faults).toEqual([]);
  });
});

async function drive(
  version: MlflowVersion,
  url: string,
  credentials: { user: string; token: string },
): Promise<unknown> {
  const folder = makeTestFolder();
  const env = {
    ...mlflowEnvironment(folder),
    MLFLOW_TRACKING_USERNAME: credentials.user,
    MLFLOW_TRACKING_PASSWORD: credentials.token,
    MLFLOW_HTTP_REQUEST_MAX_RETRIES: "0",
  };
  const script = join(import.meta.dirname, "python/drive_server.py");
  const child = spawn(venvProgram(version, "python"), [script, url], {
    cwd: folder,
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const seen = /^SEEN (.*)$/mu.exec(stdout)?.[1];
  if (seen === undefined) throw new Error(`MLflow gave up: ${stderr}`);
  return JSON.parse(seen);
}
