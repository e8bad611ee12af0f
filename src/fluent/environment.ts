/**
 * This program's environment: MLflow's client reads and writes it while it runs (`MLFLOW_RUN_ID` is taken once,
 * `setExperiment` and `setTrackingUri` tell child processes by it), and so does the library.
 */
export const environment: Record<string, string | undefined> = process.env;

/** What an empty or missing variable says is nothing, as in MLflow. */
export function read(name: string): string | undefined {
  const value = environment[name];
  return value === "" ? undefined : value;
}
