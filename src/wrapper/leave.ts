import { constants } from "node:os";
import type { ProcessOutcome } from "../entities/process-outcome.ts";

/** Signals whose default is a core file: Node would write its own, half a gigabyte, perhaps over the command's. */
const coreSignals = [
  "SIGQUIT",
  "SIGILL",
  "SIGTRAP",
  "SIGABRT",
  "SIGBUS",
  "SIGFPE",
  "SIGSEGV",
  "SIGXCPU",
  "SIGXFSZ",
  "SIGSYS",
];

export interface LeaveOptions {
  /** `process.exit`, or what ends the process otherwise. */
  readonly exit: (exitCode: number) => never;
  /** Whether one of descriptors 0 to 2 is a terminal: Node would undo at its exit what the command did to its settings. */
  readonly hasTerminal: boolean;
}

/** Ends this process the way the command ended: with its exit code, or dead of the same signal. Never returns. */
export function leaveLike(outcome: ProcessOutcome, options: LeaveOptions): never {
  if (outcome.kind === "signalled") dieOf(outcome.signal as NodeJS.Signals, outcome.signalNumber, options);
  if (options.hasTerminal) becomeShell(`exit ${outcome.exitCode}`);
  return options.exit(outcome.exitCode);
}

function dieOf(signal: NodeJS.Signals, signalNumber: number, { exit }: LeaveOptions): never {
  if (signal in constants.signals) {
    if (coreSignals.includes(signal)) becomeShell(`ulimit -c 0; kill -${signalNumber} $$`);
    restoreDefault(signal);
    process.kill(process.pid, signal);
    // Another thread may be the one that takes it.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
  }
  return exit(128 + signalNumber);
}

/** Goes on as a shell, which leaves the terminal alone. Returns only where that cannot be. */
function becomeShell(script: string): void {
  // Node ignores these two, and a program inherits that.
  restoreDefault("SIGPIPE");
  restoreDefault("SIGXFSZ");
  try {
    process.execve?.("/bin/sh", ["sh", "-c", script], {});
  } catch {
    // The plain exit that follows is nearly as good.
  }
}

/** Removing the last handler makes libuv restore the default, whatever it was before. */
function restoreDefault(signal: NodeJS.Signals): void {
  if (signal === "SIGKILL" || signal === "SIGSTOP") return;
  const handler = (): void => undefined;
  process.removeAllListeners(signal);
  process.on(signal, handler);
  process.off(signal, handler);
}
