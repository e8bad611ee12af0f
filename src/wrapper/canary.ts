import { spawn, type ChildProcess } from "node:child_process";
import type { Socket } from "node:net";
import { isDead, type ProcessState, readProcessState } from "./process-state.ts";
import { monotonicMs } from "../util/monotonic.ts";

/**
 * A tiny process beside the command, in the same group and with nothing caught: whatever signal the whole group gets kills it.
 * It ends by itself when the wrapper is gone, since its stdin ends then.
 */
export class Canary {
  /** By `monotonicMs()`. */
  readonly bornAt: number;
  /** Set once it has died of a signal. */
  death: { readonly signal: NodeJS.Signals; readonly at: number } | undefined;
  readonly #process: ChildProcess;

  private constructor(process: ChildProcess, onDeath: (canary: Canary) => void) {
    this.#process = process;
    this.bornAt = monotonicMs();
    process.on("exit", (_code, signal) => {
      if (signal !== null) this.death = { signal, at: monotonicMs() };
      onDeath(this);
    });
  }

  /**
   * Returns once the canary lives and catches nothing; `undefined` where no further process can be had.
   * `stdin` is the read end of a pipe that nobody but the wrapper holds open for writing; making one takes Node over a ms.
   */
  static hatch(stdin: number | "pipe", onDeath: (canary: Canary) => void): Canary | undefined {
    try {
      // dash runs this without a further process; no core file may be left by a group-wide SIGQUIT.
      const process = spawn("/bin/sh", ["-c", "ulimit -c 0; read -r _", "track-canary"], {
        stdio: [stdin, "ignore", "ignore"],
        env: {},
        cwd: "/",
      });
      process.on("error", () => undefined);
      const socket = process.stdin as Socket | null;
      socket?.on("error", () => undefined);
      socket?.unref();
      if (process.pid === undefined) return undefined;
      process.unref();
      return new Canary(process, onDeath);
    } catch {
      // Too few descriptors, processes or memory: signals are then told apart without it.
      return undefined;
    }
  }

  /** Whether a signal has hit it, also when it has not been waited for yet or, being stopped, not died of it yet. */
  isHit(): boolean {
    const state = this.#look();
    return state === undefined || isDead(state) || state.pending !== 0;
  }

  /** Whether it has ended. */
  isGone(): boolean {
    const state = this.#look();
    return state === undefined || isDead(state);
  }

  /** `undefined` once it has been waited for. */
  #look(): ProcessState | undefined {
    const { pid, exitCode } = this.#process;
    return this.death !== undefined || exitCode !== null || pid === undefined ? undefined : readProcessState(pid);
  }

  /** Whether job control has stopped it, which means that the whole group was. */
  isStopped(): boolean {
    return this.#process.pid !== undefined && readProcessState(this.#process.pid)?.letter === "T";
  }

  /** Ends it, without a word. Resolves when it is gone: as a zombie it would be left to an init that may not look after it. */
  async release(): Promise<void> {
    const child = this.#process;
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.removeAllListeners("exit");
    await new Promise<void>((resolve) => {
      child.ref();
      child.on("exit", () => resolve());
      child.kill("SIGKILL");
    });
  }
}
