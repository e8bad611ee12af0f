import { type EndedStatus, endedStatuses } from "../entities/run-status.ts";
import type { ChosenStatus, OutcomeRecord } from "./control-messages.ts";

/** What `track end` tells the recorder of a shell's run, as the socket's `{"end":{"exit_code":3,"pid":77}}`. */
export interface EndRequest {
  /** The status is the one that a command with this exit code gets. */
  readonly exitCode?: number;
  readonly status?: EndedStatus;
  /** Who asks and waits for the answer; no process of the run's. */
  readonly pid?: number;
}

/** How the attempt ended, in the journal, where no socket could be asked; with who waits for it. */
export type LeftEnd = (OutcomeRecord | ChosenStatus) & { readonly askerPid: number };

/** The content of the field `end`. */
export const endRequestJson = ({ exitCode, status, pid }: EndRequest): object => ({ exit_code: exitCode, status, pid });

/** `undefined` for what is no such content. */
export function parseEndRequest(value: unknown): EndRequest | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { exit_code: exitCode, status, pid } = value as Readonly<Record<string, unknown>>;
  if (exitCode !== undefined && !isWholeUpTo(exitCode, 255)) return undefined;
  if (status !== undefined && !isEndedStatus(status)) return undefined;
  if (pid !== undefined && !isWholeUpTo(pid, 2 ** 31)) return undefined;
  return {
    ...(exitCode !== undefined && { exitCode }),
    ...(status !== undefined && { status }),
    ...(pid !== undefined && { pid }),
  };
}

/** How the attempt ended that way. */
export function toAttemptEnd({ exitCode, status }: EndRequest, endTime: number): OutcomeRecord | ChosenStatus {
  if (exitCode !== undefined) {
    return { outcome: { kind: "exited", exitCode }, endTime, timedOut: false, oomKilled: false };
  }
  return { status: status ?? "FINISHED", isScriptStatusKept: status === undefined, endTime };
}

const isEndedStatus = (value: unknown): value is EndedStatus => (endedStatuses as readonly unknown[]).includes(value);

const isWholeUpTo = (value: unknown, most: number): value is number =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= 0 && value <= most;
