import { closeSync, constants, openSync, writeSync } from "node:fs";
import { Socket } from "node:net";
import { hasCode } from "../../util/error-code.ts";
import type { CaptureChannel } from "./plan-capture.ts";

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
  readonly #fd: number;
  #socket: Socket | undefined;
  #socketWrites = 0;
  /** What a terminal has not taken yet. */
  #rest: Buffer = Buffer.alloc(0);
  #isBroken = false;

  /** Throws where the target cannot be opened again. */
  constructor(fd: 1 | 2, target: CaptureChannel["target"]) {
    this.#target = target;
    const { O_WRONLY, O_NONBLOCK, O_NOCTTY } = constants;
    // A socket cannot be opened again; nobody but the wrapper uses its description while the command writes to our pipe.
    this.#fd = target === "socket" ? fd : openSync(`/proc/self/fd/${fd}`, O_WRONLY | O_NONBLOCK | O_NOCTTY);
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
    this.#rest = Buffer.from(rest);
    this.#retry(1);
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
      while (written < chunk.length) written += writeSync(this.#fd, chunk, written);
    } catch (error) {
      // Whatever else it fails with, this end is of no use any more; the command learns that as it would have by itself.
      if (!hasCode(error, "EAGAIN")) this.#isBroken = true;
    }
    return this.#isBroken ? undefined : chunk.subarray(written);
  }

  /** Waits for the event loop to say that there is room again. */
  #writeToSocket(chunk: Buffer): WriteResult {
    this.#socket ??= this.#openSocket();
    this.#socketWrites += 1;
    this.#socket.write(Buffer.from(chunk), () => {
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

  /** A terminal that is held by ^S gives no event when it goes on. */
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
