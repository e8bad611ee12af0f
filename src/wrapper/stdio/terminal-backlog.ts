import { write } from "node:fs";
import { readBytes } from "./read-buffers.ts";

export interface TerminalBacklogOptions {
  /** Opens the terminal once more, blocking, for a thread; `undefined` where that or a thread cannot be had. */
  readonly openPatiently: () => number | undefined;
  /** What is left of `chunk` after a try that does not wait; `undefined` when the terminal is gone. */
  readonly writeNow: (chunk: Buffer) => Buffer | undefined;
  /** Called when there is room, each time, and when all is written or never will be. */
  readonly onRoom: (isBroken: boolean) => void;
}

/** One is read from the command while the one before is written: with a single chunk the two would take turns. */
const fullChunks = 2;
const longestRetryMs = 16;

/**
 * What a terminal has not taken yet, in order. It gives Node no event when it goes on: a thread waits for it. The first try of every
 * chunk is made on the event loop all the same, since only that is stopped in the background (`stty tostop`), as the command would be.
 */
export class TerminalBacklog {
  readonly #options: TerminalBacklogOptions;
  readonly #chunks: Buffer[] = [];
  /** Memory for them, used in turn. */
  readonly #memory: Buffer[] = [];
  #turn = 0;
  #patient: { readonly fd: number | undefined } | undefined;

  constructor(options: TerminalBacklogOptions) {
    this.#options = options;
  }

  get isEmpty(): boolean {
    return this.#chunks.length === 0;
  }

  /** Nothing more should be kept until `onRoom`. */
  get isFull(): boolean {
    return this.#chunks.length >= fullChunks;
  }

  /** Takes a copy of `chunk`, whose first try was made unless something is kept already. */
  keep(chunk: Buffer): void {
    this.#chunks.push(this.isFull || chunk.length > readBytes ? Buffer.from(chunk) : this.#copy(chunk));
    if (this.#chunks.length === 1) this.#wait(1);
  }

  /** Less than `fullChunks` being kept, the memory whose turn it is lies idle. */
  #copy(chunk: Buffer): Buffer {
    this.#turn = (this.#turn + 1) % fullChunks;
    const memory = (this.#memory[this.#turn] ??= Buffer.allocUnsafeSlow(readBytes));
    return memory.subarray(0, chunk.copy(memory));
  }

  /** For the first chunk. */
  #wait(delayMs: number): void {
    const [chunk] = this.#chunks;
    if (chunk === undefined) return;
    this.#patient ??= { fd: this.#options.openPatiently() };
    const { fd } = this.#patient;
    if (fd === undefined) {
      setTimeout(() => this.#retry(chunk, delayMs), delayMs);
      return;
    }
    write(fd, chunk, 0, chunk.length, null, (error, written) => {
      if (error !== null) this.#break();
      else if (this.#shorten(chunk.subarray(written))) this.#wait(1);
      else this.#next();
    });
  }

  /** Without a thread. */
  #retry(chunk: Buffer, delayMs: number): void {
    const rest = this.#options.writeNow(chunk);
    if (rest === undefined) this.#break();
    else if (!this.#shorten(rest)) this.#next();
    else this.#wait(rest.length < chunk.length ? 1 : Math.min(delayMs * 2, longestRetryMs));
  }

  /** Puts what is left of the first chunk in its place; false when nothing is. */
  #shorten(rest: Buffer): boolean {
    if (rest.length > 0) this.#chunks[0] = rest;
    else this.#chunks.shift();
    return rest.length > 0;
  }

  #next(): void {
    for (let [chunk] = this.#chunks; chunk !== undefined; [chunk] = this.#chunks) {
      const rest = this.#options.writeNow(chunk);
      if (rest === undefined) return this.#break();
      if (!this.#shorten(rest)) continue;
      this.#wait(1);
      break;
    }
    if (!this.isFull) this.#options.onRoom(false);
  }

  #break(): void {
    this.#chunks.length = 0;
    this.#options.onRoom(true);
  }
}
