/** MLflow's run statuses (mlflow/entities/run_status.py). */
export type RunStatus = "RUNNING" | "SCHEDULED" | "FINISHED" | "FAILED" | "KILLED";

export const runStatuses: readonly RunStatus[] = ["RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"];

export function isRunStatus(text: string): text is RunStatus {
  return (runStatuses as readonly string[]).includes(text);
}

/** A terminal status says that the run is over. */
export function isTerminalStatus(status: RunStatus): boolean {
  return status !== "RUNNING" && status !== "SCHEDULED";
}

/** What a run can be ended with. */
export type EndedStatus = Extract<RunStatus, "FINISHED" | "FAILED" | "KILLED">;

export const endedStatuses: readonly EndedStatus[] = ["FINISHED", "FAILED", "KILLED"];
