import { readOrUndefined } from "../util/proc.ts";

/** What the kernel says about a process and its signals; masks have bit n-1 for signal n, the first 31 signals only. */
export interface ProcessState {
  /** R, S, D, T (stopped), t, Z (dead, not waited for), X. */
  readonly letter: string;
  readonly pending: number;
  readonly blocked: number;
  readonly ignored: number;
  readonly caught: number;
}

/** `undefined` where the process is gone or cannot be looked at. */
export function readProcessState(pid: number): ProcessState | undefined {
  const status = readOrUndefined(`/proc/${pid}/status`);
  if (status === undefined) return undefined;
  return {
    letter: /^State:\t(.)/mu.exec(status)?.[1] ?? "",
    pending: maskOf(status, "SigPnd") | maskOf(status, "ShdPnd"),
    blocked: maskOf(status, "SigBlk"),
    ignored: maskOf(status, "SigIgn"),
    caught: maskOf(status, "SigCgt"),
  };
}

/** Whether it has ended and waits to be waited for. */
export function isDead(state: ProcessState): boolean {
  return state.letter === "Z" || state.letter === "X";
}

/** Whether a process is stopped by job control. */
export function isStopped(pid: number): boolean {
  return readProcessState(pid)?.letter === "T";
}

/** The bit of a signal in the masks of `ProcessState`. */
export function bitOf(signalNumber: number): number {
  return signalNumber >= 1 && signalNumber <= 31 ? (2 ** (signalNumber - 1)) | 0 : 0;
}

function maskOf(status: string, field: string): number {
  const start = status.indexOf(`${field}:\t`);
  return start < 0
    ? 0
    : Number.parseInt(status.slice(start + field.length + 10, start + field.length + 18), 16) & 0x7fffffff;
}
