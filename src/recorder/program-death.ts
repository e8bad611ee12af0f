import { type ChildProcess, spawn } from "node:child_process";
import { constants } from "node:os";
import type { ProcessOutcome } from "../entities/process-outcome.ts";
import { within } from "../util/within.ts";
import { deathPipeFd } from "../wire/control-messages.ts";
import type { ProcessIdentity } from "../wire/journal-header.ts";

/** Between the end of the channel and that of the pipe lies no more than the end of one process. */
const answerMs = 1000;

/**
 * Blocks on a pipe that only the program holds, and then reads what the kernel says of it: from there it is a few microseconds until the
 * program's parent has waited for it and all is gone. No event loop is quick enough for that. A name may hold newlines.
 */
const script = `exec 3</proc/$1/stat
read -r _
while read -r line; do printf '%s\\n' "$line"; done <&3`;

/**
 * Sees how a program ends that is no child of ours and catches no signal for us. It has the other end of `deathPipeFd`.
 */
export class ProgramDeath {
  readonly #program: ProcessIdentity;
  readonly #shell: ChildProcess | undefined;
  readonly #said: Promise<string>;

  constructor(program: ProcessIdentity) {
    this.#program = program;
    const { promise, resolve } = Promise.withResolvers<string>();
    this.#said = promise;
    this.#shell = startShell(program.pid);
    let text = "";
    this.#shell?.stdout?.setEncoding("latin1").on("data", (chunk: string) => (text += chunk));
    this.#shell?.on("error", () => resolve("")).on("close", () => resolve(text));
    if (this.#shell === undefined) resolve("");
  }

  /** To be asked once the program is gone. `undefined` where its parent was quicker, or nothing can be seen here. */
  async outcome(): Promise<ProcessOutcome | undefined> {
    const stat = await within(this.#said, answerMs);
    return stat === undefined ? undefined : parseOutcome(stat, this.#program);
  }

  /** The program has said itself how it ends. */
  stop(): void {
    this.#shell?.kill("SIGKILL");
  }
}

function startShell(pid: number): ChildProcess | undefined {
  try {
    const options = { cwd: "/", env: {}, stdio: [deathPipeFd, "pipe", "ignore"] as [number, "pipe", "ignore"] };
    const shell = spawn("/bin/sh", ["-c", script, "sh", String(pid)], options);
    shell.unref();
    return shell;
  } catch {
    // No process can be had: the recording goes on without this.
    return undefined;
  }
}

/** From /proc/<pid>/stat of a process that is ending; an exit code of 0 is also what the kernel tells whom it does not trust. */
export function parseOutcome(stat: string, { startTicks }: ProcessIdentity): ProcessOutcome | undefined {
  const fields = stat
    .slice(stat.lastIndexOf(")") + 2)
    .trim()
    .split(" ");
  const status = Number(fields[49]);
  if (!Number.isSafeInteger(status) || status <= 0 || Number(fields[19]) !== startTicks) return undefined;
  const signalNumber = status & 0x7f;
  if (signalNumber === 0) return { kind: "exited", exitCode: status >> 8 };
  const signal = Object.entries(constants.signals).find(([, number]) => number === signalNumber)?.[0];
  return { kind: "signalled", signal: signal ?? `SIG${signalNumber}`, signalNumber };
}
