import { join } from "node:path";
import { MlflowServer } from "../interop/mlflow-server.ts";
import { mlflowEnvironment } from "../interop/mlflow-agent.ts";
import { isInstalled, newestMlflow, venvProgram } from "../interop/mlflow-versions.ts";
import type { Bench } from "./bench.ts";
import { BenchRig, interleave, track } from "./bench-rig.ts";
import { atMost, median } from "./figure.ts";

const program = join(import.meta.dirname, "programs/mlflow_calls.py");

interface Calls {
  readonly first: number;
  readonly single: number;
  readonly batch: number;
  readonly end: number;
}

/** What MLflow's Python client waits for inside `track run`, on `mlflow server`, and on a database of its own; a new folder each time. */
export const endpoint: Bench = async ({ tools, report, isQuick }) => {
  if (!isInstalled(newestMlflow)) return;
  await using rig = new BenchRig(tools);
  const serverFolder = rig.newFolder();
  // This process does not read what the server prints while it waits for a client.
  await using server = await MlflowServer.start(newestMlflow, `sqlite:///${serverFolder}/server.db`, serverFolder, {
    args: ["--uvicorn-opts", "--log-level=warning"],
  });
  const counts = isQuick ? ["20", "2"] : ["200", "5"];
  const call = (prefix: readonly string[], env: Readonly<Record<string, string>>): Calls => {
    const cwd = rig.newFolder();
    const command = [...prefix, venvProgram(newestMlflow, "python"), program, ...counts, "calls.json"];
    rig.run("env", command, { cwd, env: { ...mlflowEnvironment(cwd), ...env } });
    return rig.readJson(join(cwd.slice(rig.root.length), "calls.json")) as Calls;
  };
  const results = interleave(isQuick ? 1 : 3, {
    track: () => call([track, "run", "--quiet", "--"], {}),
    server: () => call([], { MLFLOW_TRACKING_URI: server.url }),
    database: () => call([], { MLFLOW_TRACKING_URI: "sqlite:///mlflow.db" }),
  });
  const of = (from: readonly Calls[], what: keyof Calls): number => median(from.map((calls) => calls[what]));
  const compare = (name: string, what: keyof Calls, by: "server" | "database", limit: number): void =>
    report({
      name,
      unit: "ms",
      ours: of(results.track, what),
      baseline: { name: by === "server" ? "mlflow server" : "sqlite:///", value: of(results[by], what) },
      limit: atMost(limit),
    });
  compare("first start_run", "first", "database", 0.1);
  compare("log_metric", "single", "server", 0.2);
  compare("log_metric, database", "single", "database", 1);
  compare("log_metrics of 1000", "batch", "server", 0.2);
  compare("log_metrics of 1000, database", "batch", "database", 1);
};
