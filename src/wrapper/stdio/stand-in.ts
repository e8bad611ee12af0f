import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, constants, openSync } from "node:fs";
import type { Socket } from "node:net";
import type { CaptureChannel } from "./plan-capture.ts";
import type { Pty } from "./make-pty.ts";
import type { Spool } from "./spool.ts";

export interface PassedChannel {
  readonly channel: CaptureChannel;
  readonly readFd: number;
  readonly pty?: Pty;
}

export interface PassingOptions {
  readonly spool: Spool;
  readonly segmentBytes: number;
  /** So that the recorder waits for what is still passed on, as for anything else that the command left. */
  readonly runId: string | undefined;
  /** See `ConsoleCapture.leakingFds`. */
  readonly leakingFds: readonly number[];
}

const deaf = 'trap "" HUP INT QUIT TERM TSTP XFSZ';
/** A file size limit ends the capture at one more segment, and `tee` writes on to the output alone. */
const limited = '(ulimit -f "$3") 2>/dev/null && ulimit -f "$3"';
const unmapped = 'stty -F "$1" -onlcr 2>/dev/null';
/**
 * Node makes descriptors 0 to 2 of what it starts blocking: `tee` needs that, no shell can do it, and a description that is shared
 * with the wrapper must not be so before.
 */
const blocking = `"$2" -e 'require("child_process").spawnSync("true",{stdio:[4,"ignore","ignore"]})'`;

/** A process that outlives the command would be killed by SIGPIPE at its next line without a reader: `tee` is one from here on. */
export function handOver(passed: PassedChannel, options: PassingOptions): void {
  const script = [
    deaf,
    ...(passed.pty === undefined ? [] : [unmapped]),
    limited,
    options.spool.hasFailed ? "exec cat" : 'exec tee -a "$0"',
  ].join("; ");
  try {
    start(script, passed, options, [passed.readFd, passed.channel.fds[0] ?? 1, "ignore"])?.unref();
  } catch {
    // No process can be had: what is said from now on is lost, as it would be without a reader.
  }
}

/**
 * Waits beside the wrapper, in a session of its own, and passes the output on when the wrapper is killed: for a command that is to
 * outlive it. Without one (no process can be had) the command then loses its reader.
 */
export class StandIn {
  readonly #process: ChildProcess | undefined;

  /** To be called while the wrapper still holds the command's end. */
  constructor(passed: PassedChannel, options: PassingOptions) {
    const script = [
      deaf,
      'trap "" PIPE',
      "read -r _ <&3 && exit",
      "exec 3<&-",
      ...(passed.pty === undefined ? [] : [unmapped, blocking, "exec 0<&4 4<&-"]),
      limited,
      // The newest segment, which the wrapper wrote last.
      'exec tee -a "$(ls -t "$0" "$0".* 2>/dev/null | head -n 1)"',
    ].join("; ");
    const output = passed.channel.fds[0] ?? 1;
    try {
      if (passed.pty === undefined) {
        // Another description of the same pipe, which may block.
        const own = openSync(`/proc/self/fd/${passed.readFd}`, constants.O_RDONLY);
        this.#process = start(script, passed, options, [own, output, "ignore", "pipe"]);
        closeSync(own);
      } else {
        this.#process = start(script, passed, options, ["ignore", output, "ignore", "pipe", passed.readFd]);
      }
    } catch {
      // No descriptor or process left.
    }
    this.#process?.unref();
    const socket = this.#process?.stdio[3] as Socket | null | undefined;
    socket?.on("error", () => undefined);
    socket?.unref();
  }

  /** The wrapper has done all by itself. Resolves when the stand-in is gone, with the caller's descriptor that it held. */
  async release(): Promise<void> {
    const child = this.#process;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
    await new Promise<void>((resolve) => {
      child.ref();
      child.on("exit", () => resolve());
      (child.stdio[3] as Socket).end("done\n");
    });
  }
}

type Stdio = (number | "ignore" | "pipe")[];

function start(script: string, { pty }: PassedChannel, options: PassingOptions, stdio: Stdio): ChildProcess {
  const blocks = Math.floor((2 * options.segmentBytes) / 512);
  const words = [options.spool.place.path, pty?.slavePath ?? "", process.execPath, String(blocks)];
  const nothing = openSync("/dev/null", "r+");
  for (const fd of options.leakingFds) coverFd(stdio, fd, nothing);
  try {
    const env = {
      PATH: "/usr/local/bin:/usr/bin:/bin",
      ...(options.runId !== undefined && { TRACK_RUN_ID: options.runId }),
    };
    const child = spawn("/bin/sh", ["-c", script, ...words], { stdio, env, detached: true });
    child.on("error", () => undefined);
    return child;
  } finally {
    closeSync(nothing);
  }
}

/** Puts `replacement` under number `fd` for a process to be started, in place of one that it would inherit. */
export function coverFd(stdio: (number | "inherit" | "ignore" | "pipe")[], fd: number, replacement: number): void {
  while (stdio.length <= fd) stdio.push("ignore");
  stdio[fd] = replacement;
}
