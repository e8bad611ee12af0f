import type { MlflowServer } from "./mlflow-server.ts";

/** A server's first answers take it seconds, in which a run would start under an id that is mapped later. */
export async function warmUp(server: MlflowServer): Promise<void> {
  const { experiment_id: experimentId } = await server.post("experiments/create", { name: "warm" });
  await server.get("experiments/get-by-name", { experiment_name: "warm" });
  await server.post("runs/create", { experiment_id: experimentId, start_time: 1 });
  await server.post("runs/search", { experiment_ids: [experimentId], max_results: 1 });
}
