import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import type { JournalEntry } from "../entities/journal-entry.ts";
import { hasCode } from "../util/error-code.ts";
import { decodeEntry } from "../wire/journal-entry-codec.ts";
import { listSegments, segmentPath } from "./segments.ts";

/** Where reading goes on: a segment's number and a byte offset at the beginning of a line. */
export interface JournalPosition {
  readonly segment: number;
  readonly offset: number;
}

/** `position` is the one behind the entry. */
export interface ReadEntry {
  readonly entry: JournalEntry;
  readonly position: JournalPosition;
}

export interface JournalReaderOptions {
  readonly from?: JournalPosition;
  /** A whole line that is no entry (a damaged disk, a power cut): it alone is passed over. */
  readonly onDamaged?: (position: JournalPosition) => void;
}

const initialBytes = 256 * 1024;
const newline = 10;

/**
 * Reads a journal in the order of writing, also while a writer writes. Memory is bounded by the longest line.
 * Text behind the last newline is never an entry: it is waited for in the last segment, and passed over in one
 * that has a successor, since a writer begins a new segment only behind whole lines or behind a torn one that it writes again.
 */
export class JournalReader implements Disposable {
  readonly #folder: string;
  readonly #onDamaged: ((position: JournalPosition) => void) | undefined;
  #segment: number;
  #fd: number | undefined;
  #buffer = Buffer.allocUnsafe(initialBytes);
  /** Unread bytes of the buffer, and where they lie in the file. */
  #start = 0;
  #end = 0;
  #offset: number;
  /** Bytes from `#start` that are known to hold no newline. */
  #scanned = 0;
  #successor: number | undefined;

  constructor(folder: string, options: JournalReaderOptions = {}) {
    this.#folder = folder;
    this.#onDamaged = options.onDamaged;
    this.#segment = options.from?.segment ?? 0;
    this.#offset = options.from?.offset ?? 0;
  }

  /** The next entry, or `undefined` where the journal ends for now; asking again later goes on from there. */
  next(): ReadEntry | undefined {
    for (;;) {
      const text = this.#nextLine();
      if (text === undefined) {
        if (!this.#moveOn()) return undefined;
        continue;
      }
      const entry = decodeEntry(text);
      if (entry !== undefined) return { entry, position: this.position };
      this.#onDamaged?.(this.position);
    }
  }

  /** Behind the last line that was taken. */
  get position(): JournalPosition {
    return { segment: this.#segment, offset: this.#offset };
  }

  [Symbol.dispose](): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  #nextLine(): string | undefined {
    for (;;) {
      const end = this.#buffer.subarray(0, this.#end).indexOf(newline, this.#start + this.#scanned);
      if (end !== -1) return this.#take(end);
      this.#scanned = this.#end - this.#start;
      if (!this.#fill()) return undefined;
    }
  }

  #take(end: number): string {
    const text = this.#buffer.toString("utf8", this.#start, end);
    this.#offset += end + 1 - this.#start;
    this.#start = end + 1;
    this.#scanned = 0;
    return text;
  }

  #fill(): boolean {
    this.#fd ??= this.#open();
    if (this.#fd === undefined) return false;
    this.#makeRoom();
    const count = readSync(this.#fd, this.#buffer, this.#end, this.#buffer.length - this.#end, this.#fileEnd());
    this.#end += count;
    return count > 0;
  }

  #fileEnd(): number {
    return this.#offset + this.#end - this.#start;
  }

  #makeRoom(): void {
    const kept = this.#end - this.#start;
    if (this.#start > 0) this.#buffer.copyWithin(0, this.#start, this.#end);
    this.#start = 0;
    this.#end = kept;
    if (kept < this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(this.#buffer.length * 2);
    this.#buffer.copy(larger, 0, 0, kept);
    this.#buffer = larger;
  }

  #open(): number | undefined {
    try {
      return openSync(segmentPath(this.#folder, this.#segment), "r");
    } catch (error) {
      if (hasCode(error, "ENOENT")) return undefined;
      throw error;
    }
  }

  /** A successor is looked for first and the old segment read once more: its writer may have added lines between our last read and the roll. */
  #moveOn(): boolean {
    if (this.#successor === undefined) {
      this.#successor = listSegments(this.#folder).find((segment) => segment > this.#segment);
      return this.#successor !== undefined;
    }
    this[Symbol.dispose]();
    this.#segment = this.#successor;
    this.#successor = undefined;
    this.#offset = 0;
    this.#start = 0;
    this.#end = 0;
    this.#scanned = 0;
    return true;
  }
}

/** All entries from `from` (default: the beginning) to the present end. */
export function* readEntries(folder: string, from?: JournalPosition): Generator<ReadEntry, void, undefined> {
  using reader = new JournalReader(folder, from === undefined ? {} : { from });
  for (let read = reader.next(); read !== undefined; read = reader.next()) yield read;
}

/** Sequence number of the last whole entry; 0 for an empty journal. Reads only the end of the journal. */
export function readLastSequence(folder: string): number {
  for (const segment of listSegments(folder).reverse()) {
    const sequence = lastSequenceIn(segmentPath(folder, segment));
    if (sequence !== undefined) return sequence;
  }
  return 0;
}

function lastSequenceIn(path: string): number | undefined {
  const fd = openSync(path, "r");
  try {
    const size = fstatSync(fd).size;
    for (let bytes = initialBytes; ; bytes *= 4) {
      const start = Math.max(0, size - bytes);
      const buffer = Buffer.alloc(size - start);
      readSync(fd, buffer, 0, buffer.length, start);
      const sequence = lastSequenceOf(buffer, start === 0);
      if (sequence !== undefined || start === 0) return sequence;
    }
  } finally {
    closeSync(fd);
  }
}

function lastSequenceOf(buffer: Buffer, isWhole: boolean): number | undefined {
  let end = buffer.lastIndexOf(newline);
  while (end > 0) {
    const before = buffer.lastIndexOf(newline, end - 1);
    if (before === -1 && !isWhole) return undefined;
    const entry = decodeEntry(buffer.toString("utf8", before + 1, end));
    if (entry !== undefined) return entry.sequence;
    end = before;
  }
  return undefined;
}
