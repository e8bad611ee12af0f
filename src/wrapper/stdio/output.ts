import { closeSync, constants, openSync, write, writeSync } from "node:fs";
import { Socket } from "node:net";
import { hasCode } from "../../util/error-code.ts";
import type { CaptureChannel } from "./plan-capture.ts";
import { readBytes } from "./read-buffers.ts";
import { hasRoomForThreads } from "./thread-room.ts";

/** `blocked`: the rest is kept, nothing more may be written until `onReady`. `broken`: nobody reads any more. */
export type WriteResult = "done" | "blocked" | "broken";

const longestRetryMs = 16;

/**
 * The caller's stdout or stderr as the relay writes to it: never waiting, and without making the descriptor that the caller shares
 * with others non-blocking, since it opens the same pipe or terminal once more for itself.
 */
export class Output {
  /** Called when what was kept has been written, or can never be. */
  onReady: (result: "done" | "broken") => void = () => undefined;
  readonly #target: CaptureChannel["target"];
  readonly #number: 1 | 2;
  readonly #fd: number;
  #socket: Socket | undefined;
  #socketWrites = 0;
  /** What a terminal has not taken yet. */
  #rest: Buffer = Buffer.alloc(0);
  /** The same terminal, where a thread waits for it; `undefined` without threads. */
  #patient: { readonly fd: number | undefined } | undefined;
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
    if (this.#rest.length > 0) {
      this.#rest = Buffer.concat([this.#rest, chunk]);
      return "blocked";
    }
    const rest = this.#writeNow(chunk);
    if (rest === undefined) return "broken";
    if (rest.length === 0) return "done";
    if (this.#target === "pipe") return this.#writeToSocket(rest);
    this.#rest = this.#copy(rest);
    this.#writeLater();
    return "blocked";
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
      if (this.#isBroken || this.#socketWrites === 0) this.onReady(this.#isBroken ? "broken" : "done");
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

  /**
   * A terminal gives Node no event when it goes on: a thread waits for it. The first try of every chunk is ours all the same, since
   * only that is stopped in the background (`stty tostop`), as the command would be.
   */
  #writeLater(): void {
    this.#patient ??= { fd: hasRoomForThreads() ? reopenOrUndefined(this.#number) : undefined };
    const { fd } = this.#patient;
    if (fd === undefined) return this.#retry(1);
    const rest = this.#rest;
    write(fd, rest, 0, rest.length, null, (error, written) => {
      if (error !== null) this.#isBroken = true;
      this.#rest = this.#isBroken ? Buffer.alloc(0) : this.#rest.subarray(written);
      if (this.#rest.length > 0) this.#writeLater();
      else this.onReady(this.#isBroken ? "broken" : "done");
    });
  }

  /** The same without a thread. */
  #retry(delayMs: number): void {
    setTimeout(() => {
      const before = this.#rest.length;
      const rest = this.#writeNow(this.#rest);
      this.#rest = rest ?? Buffer.alloc(0);
      if (rest === undefined) this.onReady("broken");
      else if (rest.length === 0) this.onReady("done");
      else this.#retry(rest.length < before ? 1 : Math.min(delayMs * 2, longestRetryMs));
    }, delayMs);
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
