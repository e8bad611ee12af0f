import { close, closeSync, openSync, writeSync, writev } from "node:fs";
import { messageOf } from "../../util/error-code.ts";
import { failOnPurpose } from "../../util/test-fault.ts";
import { hasRoomForThreads } from "./thread-room.ts";

/** Bytes that may wait for the disk before the relay is asked to pause. */
const backlogLimitBytes = 4 * 1024 * 1024;
/** A disk that takes nothing for this long ends the capture: the command is never held up by it for longer. */
const stuckAfterMs = 5000;

export interface SpoolOptions {
  /** Called once, when the capture ends before the command does; `reason` fits behind "console output is no longer captured: ". */
  readonly onEnd: (reason: string) => void;
  /** Called when a pause that `append` asked for is over. */
  readonly onReady: () => void;
}

/**
 * The file that captured bytes are appended to, in order and off the event loop. Whatever goes wrong with it (full disk, file size
 * limit, hung mount) ends the capture and nothing else.
 */
export class Spool {
  readonly #options: SpoolOptions;
  #fd: number | undefined;
  /** Whether writing may take a thread; without one it happens on the event loop. */
  #hasThreads: boolean | undefined;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #isWriting = false;
  #isPausing = false;
  #hasFailed = false;
  #stuckTimer: NodeJS.Timeout | undefined;
  #whenIdle: (() => void)[] = [];

  /** Opens or creates `path`, 0600. Throws where that cannot be. */
  constructor(path: string, options: SpoolOptions) {
    this.#options = options;
    this.#fd = openSync(path, "a", 0o600);
  }

  /** Whether something went wrong with it. */
  get hasFailed(): boolean {
    return this.#hasFailed;
  }

  /** Takes a copy of `chunk`. `false`: the disk is behind, wait for `onReady` before the next one. Never throws. */
  append(chunk: Buffer): boolean {
    try {
      return this.#append(chunk);
    } catch (error) {
      // Lack of memory, or a bug of ours: the output itself goes on.
      this.#end(messageOf(error));
      return true;
    }
  }

  #append(chunk: Buffer): boolean {
    failOnPurpose("capture");
    if (this.#fd === undefined) return true;
    this.#hasThreads ??= hasRoomForThreads();
    if (!this.#hasThreads) {
      this.#writeNow(this.#fd, chunk);
      return true;
    }
    this.#waiting.push(Buffer.from(chunk));
    this.#waitingBytes += chunk.length;
    this.#write();
    this.#isPausing = this.#waitingBytes > backlogLimitBytes;
    return !this.#isPausing;
  }

  /** Resolves when all that was appended is written, or the capture has ended. */
  async close(): Promise<void> {
    if (this.#isWriting) await new Promise<void>((resolve) => this.#whenIdle.push(resolve));
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  #writeNow(fd: number, chunk: Buffer): void {
    try {
      for (let written = 0; written < chunk.length;) written += writeSync(fd, chunk, written);
    } catch (error) {
      this.#end(messageOf(error));
    }
  }

  #write(): void {
    if (this.#isWriting || this.#fd === undefined || this.#waiting.length === 0) return;
    const chunks = this.#waiting.splice(0, 64);
    const size = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    this.#isWriting = true;
    this.#stuckTimer = setTimeout(() => this.#end("the disk takes nothing"), stuckAfterMs);
    this.#stuckTimer.unref();
    writev(this.#fd, chunks, (error, written) => this.#afterWrite(error, chunks, size, written));
  }

  #afterWrite(error: Error | null, chunks: readonly Buffer[], size: number, written: number): void {
    clearTimeout(this.#stuckTimer);
    this.#isWriting = false;
    if (error !== null) this.#end(messageOf(error));
    if (this.#fd !== undefined) {
      if (written < size) this.#waiting.unshift(Buffer.concat(chunks).subarray(written));
      this.#waitingBytes -= written;
      this.#write();
    }
    if (this.#isPausing && this.#waitingBytes <= backlogLimitBytes) this.#resume();
    if (!this.#isWriting) for (const resolve of this.#whenIdle.splice(0)) resolve();
  }

  #end(reason: string): void {
    if (this.#fd === undefined) return;
    this.#hasFailed = true;
    // A write may still be under way on it: closing may have to wait as long as that does.
    if (this.#hasThreads === true) close(this.#fd, () => undefined);
    else closeSync(this.#fd);
    this.#fd = undefined;
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#options.onEnd(reason);
    if (this.#isPausing) this.#resume();
    for (const resolve of this.#whenIdle.splice(0)) resolve();
  }

  #resume(): void {
    this.#isPausing = false;
    this.#options.onReady();
  }
}
