import { mlflowEnvironment } from "../interop/mlflow-agent.ts";
import { MlflowServer } from "../interop/mlflow-server.ts";
import { isInstalled, newestMlflow } from "../interop/mlflow-versions.ts";
import type { Bench } from "./bench.ts";
import { BenchRig } from "./bench-rig.ts";
import { atLeast, median } from "./figure.ts";

/** MLflow's limit for one call. */
const pointsPerCall = 1000;

/** `track sync` of a journal full of points, and a bare loop of the largest calls that MLflow's server takes, on one server. */
export const sync: Bench = async ({ tools, report, isQuick }) => {
  if (!isInstalled(newestMlflow)) return;
  await using rig = new BenchRig(tools);
  const folder = rig.newFolder();
  await using server = await MlflowServer.start(newestMlflow, `sqlite:///${folder}/server.db`, folder, {
    args: ["--uvicorn-opts", "--log-level=warning"],
  });
  const points = isQuick ? 5000 : 100_000;
  const rounds = isQuick ? 1 : 3;
  const synced: number[] = [];
  const looped: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    synced.push(points / (await syncSeconds(rig, server, points)));
    looped.push(points / (await loopSeconds(server, points)));
  }
  report({
    name: `sync of ${points} points`,
    unit: "points/s",
    ours: median(synced),
    baseline: { name: "bare log-batch loop", value: median(looped) },
    limit: atLeast(0.8),
  });
};

async function syncSeconds(rig: BenchRig, server: MlflowServer, points: number): Promise<number> {
  const env = { ...mlflowEnvironment(rig.cwd), ...rig.env, MLFLOW_TRACKING_URI: server.url };
  const lines = `seq 1 ${points} | sed 's/.*/loss=& step=&/' >> "$TRACK_LOG"`;
  await succeed(rig, ["run", "--offline", "--quiet", "--no-system-metrics", "--", "sh", "-c", lines], env);
  const began = performance.now();
  await succeed(rig, ["sync"], env);
  return (performance.now() - began) / 1000;
}

async function succeed(rig: BenchRig, args: readonly string[], env: Readonly<Record<string, string>>): Promise<void> {
  const { code, stderr } = await rig.start(args, { env }).finished;
  if (code !== 0) throw new Error(`track ${args[0]}: exit ${code}: ${stderr}`);
}

async function loopSeconds(server: MlflowServer, points: number): Promise<number> {
  const created = await server.post("runs/create", { experiment_id: "0", start_time: Date.now() });
  const { run } = created as { readonly run: { readonly info: { readonly run_id: string } } };
  const began = performance.now();
  for (let first = 1; first <= points; first += pointsPerCall) {
    const timestamp = Date.now();
    const metrics = Array.from({ length: Math.min(pointsPerCall, points - first + 1) }, (_, index) => {
      return { key: "loss", value: first + index, timestamp, step: first + index };
    });
    await server.post("runs/log-batch", { run_id: run.info.run_id, metrics });
  }
  return (performance.now() - began) / 1000;
}
