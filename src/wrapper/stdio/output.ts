import { closeSync, constants, openSync, writeSync } from "node:fs";
import { Socket } from "node:net";
import { hasCode } from "../../util/error-code.ts";
import type { CaptureChannel } from "./plan-capture.ts";
import { readBytes } from "./read-buffers.ts";
import { TerminalBacklog } from "./terminal-backlog.ts";
import { hasRoomForThreads } from "./thread-room.ts";

/** `taken`: written, or kept. `blocked`: kept, nothing more may be written until `onReady`. `broken`: nobody reads any more. */
export type WriteResult = "taken" | "blocked" | "broken";

/**
 * The caller's stdout or stderr as the relay writes to it: never waiting, and without making the descriptor that the caller shares
 * with others non-blocking, since it opens the same pipe or terminal once more for itself.
 */
export class Output {
  /** Called when more may be written, and when all that was kept is written or can never be. */
  onReady: (result: "taken" | "broken") => void = () => undefined;
  readonly #target: CaptureChannel["target"];
  readonly #number: 1 | 2;
  readonly #fd: number;
  #socket: Socket | undefined;
  #socketWrites = 0;
  #backlog: TerminalBacklog | undefined;
  /** Memory for what is kept, used again and again. */
  #scratch: Buffer | undefined;
  #isBroken = false;

  /** Throws where the target cannot be opened again. */
  constructor(fd: 1 | 2, target: CaptureChannel["target"]) {
    this.#target = target;
    this.#number = fd;
    // A socket cannot be opened again; nobody but the wrapper uses its description while the command writes to our pipe.
    this.#fd = target === "socket" ? fd : reopen(fd, constants.O_NONBLOCK);
  }

  /** Writes what goes at once and keeps a copy of the rest, in order. */
  write(chunk: Buffer): WriteResult {
    if (this.#isBroken) return "broken";
    if (this.#target === "socket" || this.#socketWrites > 0) return this.#writeToSocket(chunk);
    const rest = this.isIdle ? this.#writeNow(chunk) : chunk;
    if (rest === undefined) return "broken";
    if (rest.length === 0) return "taken";
    return this.#target === "pipe" ? this.#writeToSocket(rest) : this.#writeLater(rest);
  }

  /** Nothing is kept that could still be written. */
  get isIdle(): boolean {
    return this.#isBroken || (this.#socketWrites === 0 && (this.#backlog?.isEmpty ?? true));
  }

  /** For an end that was never written to. */
  close(): void {
    if (this.#target !== "socket") closeSync(this.#fd);
  }

  /** What is left of `chunk`; `undefined` when nobody reads any more. */
  #writeNow(chunk: Buffer): Buffer | undefined {
    let written = 0;
    try {
      // Less than was asked for: it is full, and asking once more would cost an exception.
      written = writeSync(this.#fd, chunk);
    } catch (error) {
      // Whatever else it fails with, this end is of no use any more; the command learns that as it would have by itself.
      if (!hasCode(error, "EAGAIN")) this.#isBroken = true;
    }
    return this.#isBroken ? undefined : chunk.subarray(written);
  }

  /** Only while nothing else is kept. */
  #copy(chunk: Buffer): Buffer {
    if (chunk.length > readBytes) return Buffer.from(chunk);
    this.#scratch ??= Buffer.allocUnsafeSlow(readBytes);
    return this.#scratch.subarray(0, chunk.copy(this.#scratch));
  }

  /** Waits for the event loop to say that there is room again. */
  #writeToSocket(chunk: Buffer): WriteResult {
    this.#socket ??= this.#openSocket();
    const copy = this.#socketWrites === 0 ? this.#copy(chunk) : Buffer.from(chunk);
    this.#socketWrites += 1;
    this.#socket.write(copy, () => {
      this.#socketWrites -= 1;
      if (this.#isBroken || this.#socketWrites === 0) this.onReady(this.#isBroken ? "broken" : "taken");
    });
    return "blocked";
  }

  #openSocket(): Socket {
    const socket = new Socket({ fd: this.#fd, readable: false, writable: true });
    socket.on("error", () => {
      this.#isBroken = true;
      this.onReady("broken");
    });
    return socket;
  }

  #writeLater(chunk: Buffer): WriteResult {
    const backlog = (this.#backlog ??= new TerminalBacklog({
      openPatiently: () => (hasRoomForThreads() ? reopenOrUndefined(this.#number) : undefined),
      writeNow: (kept) => this.#writeNow(kept),
      onRoom: (isBroken) => {
        this.#isBroken ||= isBroken;
        this.onReady(isBroken ? "broken" : "taken");
      },
    }));
    backlog.keep(chunk);
    return backlog.isFull ? "blocked" : "taken";
  }
}

function reopen(fd: 1 | 2, flags = 0): number {
  return openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NOCTTY | flags);
}

function reopenOrUndefined(fd: 1 | 2): number | undefined {
  try {
    return reopen(fd);
  } catch {
    // No descriptor left, or a terminal that has hung up: the next write tells.
    return undefined;
  }
}
