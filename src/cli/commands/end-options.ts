import type { RunStatus } from "../../entities/run-status.ts";

/** Statuses that a run can be given by hand. */
export type EndStatus = Extract<RunStatus, "FINISHED" | "FAILED" | "KILLED">;

export const endStatuses: readonly EndStatus[] = ["FINISHED", "FAILED", "KILLED"];

export interface EndOptions {
  readonly status?: EndStatus;
  /** The status is the one that a command with this exit code gets. */
  readonly exitCode?: number;
  readonly json?: boolean;
  readonly trackingUri?: string;
}
