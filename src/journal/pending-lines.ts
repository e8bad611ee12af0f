import type { JournalEntry } from "../entities/journal-entry.ts";
import { decodeEntry } from "../wire/journal-entry-codec.ts";

const chunkLines = 4096;
const chunkBytes = 2 ** 20;
const newline = 10;

interface Chunk {
  readonly firstSequence: number;
  readonly buffer: Buffer;
  offset: number;
  readonly lines: readonly string[];
}

/** Encoded entries that are not written yet: a chunk that is being written, cut at whole lines, and the lines behind it. */
export class PendingLines {
  #lines: string[] = [];
  #chunk: Chunk | undefined;
  /** UTF-16 units of all lines, the chunk's included until it is written whole. */
  bytes = 0;
  /** Sequence number of the first of `#lines`; they follow each other without a gap. */
  #firstOfLines: number;

  constructor(firstSequence: number) {
    this.#firstOfLines = firstSequence;
  }

  /** Of the first entry that is not written whole. */
  get firstSequence(): number {
    return this.#chunk?.firstSequence ?? this.#firstOfLines;
  }

  get isEmpty(): boolean {
    return this.#chunk === undefined && this.#lines.length === 0;
  }

  get isAtLineStart(): boolean {
    return this.#chunk === undefined || this.#chunk.offset === 0;
  }

  add(line: string): void {
    this.#lines.push(line);
    this.bytes += line.length + 1;
  }

  /** What is to be written next, from `offset` on; the same until `advance` has passed its end. */
  chunk(): { readonly buffer: Buffer; readonly offset: number } | undefined {
    if (this.#chunk === undefined && this.#lines.length > 0) {
      const lines = this.#lines.splice(0, this.#countForChunk());
      this.#chunk = {
        firstSequence: this.#firstOfLines,
        buffer: Buffer.from(`${lines.join("\n")}\n`),
        offset: 0,
        lines,
      };
      this.#firstOfLines += lines.length;
    }
    return this.#chunk;
  }

  advance(count: number): void {
    const chunk = this.#chunk;
    if (chunk === undefined) return;
    chunk.offset += count;
    if (chunk.offset < chunk.buffer.length) return;
    this.#chunk = undefined;
    for (const line of chunk.lines) this.bytes -= line.length + 1;
  }

  /** The line that was cut is written again from its beginning (into another file). */
  backToLineStart(): void {
    const chunk = this.#chunk;
    if (chunk === undefined || chunk.offset === 0) return;
    chunk.offset = chunk.buffer.lastIndexOf(newline, chunk.offset - 1) + 1;
  }

  *entries(above: number): Generator<JournalEntry, void, undefined> {
    const chunk = this.#chunk;
    const lines = chunk?.lines.slice(Math.max(0, above + 1 - chunk.firstSequence)) ?? [];
    for (const line of lines.concat(this.#lines.slice(Math.max(0, above + 1 - this.#firstOfLines)))) {
      const entry = decodeEntry(line);
      if (entry !== undefined) yield entry;
    }
  }

  /** Forgets lines up to `sequence`, but for those of a chunk, which may be half written. */
  release(sequence: number): void {
    const released = this.#lines.splice(0, Math.max(0, sequence + 1 - this.#firstOfLines));
    this.#firstOfLines += released.length;
    for (const line of released) this.bytes -= line.length + 1;
  }

  unwrittenBytes(): Buffer {
    const rest = this.#chunk?.buffer.subarray(this.#chunk.offset) ?? Buffer.alloc(0);
    return Buffer.concat([rest, Buffer.from(this.#lines.map((line) => `${line}\n`).join(""))]);
  }

  #countForChunk(): number {
    let bytes = 0;
    let count = 0;
    while (count < this.#lines.length && count < chunkLines && bytes < chunkBytes) {
      bytes += this.#lines[count]?.length ?? 0;
      count += 1;
    }
    return count;
  }
}
