import { readSync } from "node:fs";
import { Socket } from "node:net";
import { hasCode } from "../../util/error-code.ts";
import type { Output, WriteResult } from "./output.ts";
import type { CaptureChannel } from "./plan-capture.ts";
import { ReadBuffers, readBytes } from "./read-buffers.ts";
import type { Spool } from "./spool.ts";
import { NewlineUnmapper } from "./unmap-newlines.ts";
import { monotonicMs } from "../../util/monotonic.ts";

export interface RelayOptions {
  readonly kind: CaptureChannel["kind"];
  /** The read end of the command's output, non-blocking; the relay owns it. */
  readonly readFd: number;
  readonly output: Output;
  readonly spool: Spool;
}

/** A pseudo terminal gives no more at once; so much means that there is probably more. */
const ptyReadBytes = 4095;
/** How long an end that stays silent may keep us after the command has ended. */
const drainMs = 30;
/** A gap this long after the last byte means that the pipe is empty. */
const silenceMs = 5;
/** What a pipe holds at most (fs.pipe-max-size): more than this was not written by the command that has ended. */
const pipeBytes = 1024 * 1024;

/** Passes one stream of the command's output on, first to the caller, then to the spool; reads only as fast as both take it. */
export class Relay {
  readonly #options: RelayOptions;
  readonly #input: Socket;
  readonly #unmapper: NewlineUnmapper | undefined;
  readonly #buffers = new ReadBuffers();
  #isOutputBlocked = false;
  #isSpoolBehind = false;
  #hasEnded = false;
  #isGivenUp = false;
  /** Somebody else reads on: an end that is read here would close the descriptor under their hands. */
  #isLeft = false;
  #lastChunkAt = 0;
  #totalBytes = 0;
  #whenEnded: (() => void)[] = [];

  constructor(options: RelayOptions) {
    this.#options = options;
    this.#unmapper = options.kind === "pty" ? this.#createUnmapper() : undefined;
    options.output.onReady = (result) => this.#afterBlock(result);
    this.#input = this.#openInput();
    this.#input.on("error", () => undefined);
    this.#input.on("close", () => this.#end());
    this.#input.resume();
  }

  #createUnmapper(): NewlineUnmapper {
    return new NewlineUnmapper(
      (chunk) => this.#pass(chunk),
      () => this.#isPaused(),
    );
  }

  /** The spool has caught up. */
  spoolIsReady(): void {
    this.#isSpoolBehind = false;
    this.#goOn();
  }

  /**
   * To be called when the command has ended. Resolves with `true` when all is passed on and nobody holds the stream any more, with
   * `false` when a process that outlives the command still does; then the read end is left open for whoever goes on with it.
   */
  async drain(): Promise<boolean> {
    const startBytes = this.#totalBytes;
    let openSince = monotonicMs();
    while (!this.#isDone()) {
      await this.#nextLook();
      const now = monotonicMs();
      // A reader that is slow holds up the command itself, too, when it runs bare.
      if (this.#isPaused() || !this.#options.output.isIdle) openSince = now;
      const isSilent = now - this.#lastChunkAt > silenceMs;
      // Its end was read, and its descriptor is closed by now: the event comes in a moment.
      if (this.#input.destroyed || this.#input.readableEnded) continue;
      if (now - openSince > drainMs && (isSilent || this.#totalBytes - startBytes > pipeBytes)) {
        this.#isLeft = true;
        this.#input.pause();
        this.#unmapper?.flush();
        return false;
      }
    }
    return true;
  }

  /** Ends a `drain` that waits for the caller's reader. */
  giveUp(): void {
    this.#isGivenUp = true;
    this.#wake();
  }

  #openInput(): Socket {
    const { kind, readFd } = this.#options;
    const onread = {
      buffer: () => this.#buffers.next(),
      callback: (bytes: number, buffer: Uint8Array): boolean => {
        const whole = Buffer.from(buffer.buffer, buffer.byteOffset, buffer.byteLength);
        this.#receive(whole.subarray(0, kind === "pty" ? readOn(readFd, whole, bytes) : bytes));
        return !this.#isPaused();
      },
    };
    if (kind === "pipe") return new Socket({ fd: readFd, readable: true, writable: false, onread });
    const { ReadStream } = process.getBuiltinModule("node:tty");
    return new ReadStream(readFd, { onread });
  }

  #receive(chunk: Buffer): void {
    this.#lastChunkAt = monotonicMs();
    this.#totalBytes += chunk.length;
    if (this.#unmapper === undefined) this.#pass(chunk);
    else this.#unmapper.push(chunk);
  }

  #pass(chunk: Buffer): void {
    const result = this.#options.output.write(chunk);
    this.#isOutputBlocked = result === "blocked";
    const kept = this.#buffers.keep(chunk);
    if (!this.#options.spool.append(kept.chunk, kept.release)) this.#isSpoolBehind = true;
    this.#ifBroken(result);
    if (this.#isPaused()) this.#input.pause();
  }

  #afterBlock(result: "taken" | "broken"): void {
    this.#isOutputBlocked = false;
    this.#ifBroken(result);
    this.#goOn();
  }

  /** Behind a pipe the command must get SIGPIPE as well; a terminal that is gone leaves what is said for the spool. */
  #ifBroken(result: WriteResult): void {
    if (result === "broken" && this.#options.kind === "pipe") this.#input.destroy();
  }

  #isPaused(): boolean {
    return this.#isOutputBlocked || this.#isSpoolBehind;
  }

  #goOn(): void {
    if (!this.#isPaused() && !this.#hasEnded && !this.#isLeft) this.#input.resume();
    if (this.#isDone()) this.#wake();
  }

  #end(): void {
    this.#unmapper?.flush();
    this.#hasEnded = true;
    if (this.#isDone()) this.#wake();
  }

  #isDone(): boolean {
    return this.#isGivenUp || (this.#hasEnded && this.#options.output.isIdle);
  }

  #wake(): void {
    for (const resolve of this.#whenEnded.splice(0)) resolve();
  }

  #nextLook(): Promise<void> {
    return new Promise((resolve) => {
      // What has come meanwhile is read first: on a busy machine this may be the first look for long.
      const timer = setTimeout(() => setImmediate(resolve), silenceMs);
      this.#whenEnded.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
}

/** Fills `buffer`, which has `count` bytes, with what else a pseudo terminal has: one write of 64 KiB costs less than sixteen of 4. */
function readOn(fd: number, buffer: Buffer, count: number): number {
  let last = count;
  try {
    while (last >= ptyReadBytes && count < readBytes) {
      last = readSync(fd, buffer, count, readBytes - count, null);
      count += last;
    }
  } catch (error) {
    // EIO: nobody holds the other side any more, which the next event tells.
    if (!hasCode(error, "EAGAIN", "EIO")) throw error;
  }
  return count;
}
