import { isAscii, isUtf8 } from "node:buffer";

/** A line without its newline was longer than this (bytes): the limit of the contract. */
export const lineLimitBytes = 1024 * 1024;

/** Stands for a line that cannot be had as text. */
export type LineFault = { readonly fault: "too-long" | "no-utf8" };

const tooLong: LineFault = { fault: "too-long" };
const noUtf8: LineFault = { fault: "no-utf8" };
const newline = 10;
/** A partial line's buffer above this is given back once the line is complete. */
const keptBytes = 64 * 1024;

/**
 * Cuts a byte stream into lines of UTF-8 text, pull by pull, so that a reader can stop between two lines.
 * Holds at most one partial line; a line over the limit is reported once, then skipped to its newline.
 */
export class LineSplitter {
  /** Bytes of all lines that `next` has returned, newlines included. */
  consumedBytes = 0;
  readonly #chunks: Buffer[] = [];
  #partial = Buffer.allocUnsafe(0);
  #partialLength = 0;
  #isSkipping = false;
  /** Complete lines of an ASCII chunk, as text: one conversion for all, and JSON.parse reads the slices in place. */
  #text = "";
  #textAt = 0;

  /** The chunk is kept until its lines are taken; its memory must not be reused before `next` has returned `undefined`. */
  push(chunk: Buffer): void {
    if (chunk.length > 0) this.#chunks.push(chunk);
  }

  /** The next line, a fault that stands for one, or `undefined` when more bytes are needed. */
  next(): string | LineFault | undefined {
    for (;;) {
      if (this.#textAt < this.#text.length) return this.#nextOfText();
      const chunk = this.#chunks.shift();
      if (chunk === undefined) return undefined;
      const line = this.#startChunk(chunk);
      if (line !== undefined) return line;
    }
  }

  /** What the stream ended with, behind its last newline; `undefined` when there is nothing. */
  finish(): string | LineFault | undefined {
    const partial = this.#takePartial();
    this.consumedBytes += partial.length;
    return partial.length === 0 ? undefined : this.#decode(partial);
  }

  /** True when the stream stopped within a line. */
  get isWithinLine(): boolean {
    return this.#partialLength > 0 || this.#isSkipping;
  }

  #nextOfText(): string {
    const end = this.#text.indexOf("\n", this.#textAt);
    const line = this.#text.slice(this.#textAt, end);
    this.consumedBytes += end + 1 - this.#textAt;
    this.#textAt = end + 1;
    if (this.#textAt === this.#text.length) {
      this.#text = "";
      this.#textAt = 0;
    }
    return line;
  }

  #startChunk(chunk: Buffer): string | LineFault | undefined {
    const lastEnd = chunk.lastIndexOf(newline);
    if (lastEnd === -1) return this.#keep(chunk);
    const lines = chunk.subarray(0, lastEnd + 1);
    if (this.#isSkipping || this.#partialLength > 0 || lines.length > lineLimitBytes || !isAscii(lines)) {
      return this.#nextOfBytes(chunk);
    }
    if (lastEnd + 1 < chunk.length) this.#chunks.unshift(chunk.subarray(lastEnd + 1));
    this.#text = lines.toString("latin1");
    return undefined;
  }

  /** Takes one line from the chunk's head and puts the rest back. */
  #nextOfBytes(chunk: Buffer): string | LineFault | undefined {
    const end = chunk.indexOf(newline);
    if (end + 1 < chunk.length) this.#chunks.unshift(chunk.subarray(end + 1));
    this.consumedBytes += end + 1;
    if (this.#isSkipping) {
      this.#isSkipping = false;
      return undefined;
    }
    const head = chunk.subarray(0, end);
    if (this.#partialLength + head.length > lineLimitBytes) {
      this.#dropPartial();
      return tooLong;
    }
    if (this.#partialLength === 0) return this.#decode(head);
    this.#append(head);
    this.consumedBytes += this.#partialLength - head.length;
    return this.#decode(this.#takePartial());
  }

  /** Keeps the beginning of a line; answers the fault as soon as it is too long. */
  #keep(chunk: Buffer): LineFault | undefined {
    if (this.#isSkipping) {
      this.consumedBytes += chunk.length;
      return undefined;
    }
    if (this.#partialLength + chunk.length > lineLimitBytes) {
      this.#dropPartial();
      this.consumedBytes += chunk.length;
      this.#isSkipping = true;
      return tooLong;
    }
    this.#append(chunk);
    return undefined;
  }

  #append(bytes: Buffer): void {
    const length = this.#partialLength + bytes.length;
    if (length > this.#partial.length) {
      const grown = Buffer.allocUnsafe(Math.max(length, this.#partial.length * 2, 1024));
      this.#partial.copy(grown, 0, 0, this.#partialLength);
      this.#partial = grown;
    }
    bytes.copy(this.#partial, this.#partialLength);
    this.#partialLength = length;
  }

  #takePartial(): Buffer {
    const partial = this.#partial.subarray(0, this.#partialLength);
    this.#partialLength = 0;
    if (this.#partial.length > keptBytes) this.#partial = Buffer.allocUnsafe(0);
    return partial;
  }

  #dropPartial(): void {
    this.consumedBytes += this.#takePartial().length;
  }

  #decode(bytes: Buffer): string | LineFault {
    return isUtf8(bytes) ? bytes.toString("utf8") : noUtf8;
  }
}
