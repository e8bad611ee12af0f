import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { installed, TrackRig, waitFor } from "../e2e/rig.ts";
import { FaultProxy } from "./fault-proxy.ts";
import { makeFolder, removeFolder } from "./interop-folder.ts";
import { mlflowEnvironment } from "./mlflow-agent.ts";
import { MlflowServer } from "./mlflow-server.ts";
import { newestMlflow, venvProgram } from "./mlflow-versions.ts";
import { describeWith } from "./with-mlflow.ts";

const script = join(import.meta.dirname, "python/workspace_script.py");

describeWith(newestMlflow)("a tracking server with workspaces", () => {
  test("a run, what its clients ask the server for, and a late sync are in the workspace that was chosen", async () => {
    const folder = makeFolder();
    await using rig = TrackRig.setup();
    await using server = await MlflowServer.start(newestMlflow, `sqlite:///${folder}/mlflow.db`, folder, {
      args: ["--enable-workspaces"],
    });
    await using proxy = await FaultProxy.start(server.url);
    const ask = async (path: string, workspace: string | undefined, body: object) => {
      const headers = { "Content-Type": "application/json", ...(workspace && { "X-MLFLOW-WORKSPACE": workspace }) };
      const answer = await fetch(`${server.url}/api/${path}`, { method: "POST", headers, body: JSON.stringify(body) });
      const text = await answer.text();
      if (!answer.ok) throw new Error(`${path}: ${answer.status} ${text}`);
      return JSON.parse(text) as Record<string, unknown>;
    };
    await ask("3.0/mlflow/workspaces", undefined, { name: "team" });
    const base = {
      ...mlflowEnvironment(rig.cwd),
      PATH: `${join(installed, "bin")}:${rig.env["PATH"]}`,
      HOME: join(rig.root, "home"),
      MLFLOW_TRACKING_URI: proxy.url,
    };
    const env = { ...base, MLFLOW_WORKSPACE: "team", MLFLOW_EXPERIMENT_NAME: "spaces" };
    const python = venvProgram(newestMlflow, "python");
    const started = rig.start(["run", "--sync-timeout", "0s", "--", python, script], { env });
    await waitFor(() => existsSync(join(rig.cwd, "asked")) || started.process.exitCode !== null, { timeoutMs: 60_000 });
    await proxy.always({ kind: "refuse" });
    writeFileSync(join(rig.cwd, "on"), "");
    const { code, stdout, stderr } = await started.finished;
    expect(code, stderr).toBe(0);
    expect(JSON.parse(stdout)).toEqual({ registered: ["net"], found: 1, workspace: null });
    await proxy.always();
    // The workspace is the journal's, whatever the later command's is.
    await waitFor(async () => {
      await rig.track(["sync"], { env: base });
      return rig.journalNames().length === 0;
    });

    const inTeam = (await ask("2.0/mlflow/experiments/search", "team", { max_results: 10 }))["experiments"];
    const names = (inTeam as { name: string; experiment_id: string }[]).map(({ name }) => name);
    expect(names).toContain("spaces");
    const [experiment] = (inTeam as { name: string; experiment_id: string }[]).filter(({ name }) => name === "spaces");
    const { runs } = (await ask("2.0/mlflow/runs/search", "team", {
      experiment_ids: [experiment?.experiment_id],
    })) as unknown as { runs: { info: { status: string }; data: { metrics: { key: string; value: number }[] } }[] };
    expect(runs.map(({ info }) => info.status)).toEqual(["FINISHED"]);
    expect(runs[0]?.data.metrics.map(({ key }) => key)).toEqual(expect.arrayContaining(["before", "after"]));
    const elsewhere = await ask("2.0/mlflow/experiments/search", "default", { max_results: 10 });
    expect(JSON.stringify(elsewhere)).not.toContain('"name":"spaces"');
    expect((await rig.track(["ls"], { env })).stdout).toContain("FINISHED");
    expect((await rig.track(["ls", "--experiment", "spaces"], { env: base })).code).not.toBe(0);
    removeFolder(folder);
  });
});
