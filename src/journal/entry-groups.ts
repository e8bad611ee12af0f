import type { JournalEntry, StoreOperation } from "../entities/journal-entry.ts";
import type { JournalPosition, JournalReader } from "./journal-reader.ts";
import type { JournalWriter } from "./journal-writer.ts";
import { MergedBatch } from "./merged-batch.ts";

/** An entry and how far reading has come with it. */
export interface DrainedEntry {
  readonly entry: JournalEntry;
  readonly position: JournalPosition;
}

/** Neighbouring entries that are one write to the store. */
export interface EntryGroup {
  readonly entries: readonly [DrainedEntry, ...DrainedEntry[]];
  readonly operation: StoreOperation;
  /** Nothing more lies behind it for now. */
  readonly isLast: boolean;
}

export type WriterMemory = Pick<JournalWriter, "isStuck" | "unwritten">;

/**
 * Takes the entries above `sequence` from the segments, each once and in order, and groups them. While the writer of this
 * process is stuck, those that lie in its memory only come behind those of the files.
 */
export class EntryGroups implements Disposable {
  readonly #reader: JournalReader;
  readonly #writer: WriterMemory | undefined;
  #memory: Iterator<JournalEntry> | undefined;
  #held: DrainedEntry | undefined;
  #taken: number;

  constructor(reader: JournalReader, sequence: number, writer?: WriterMemory) {
    this.#reader = reader;
    this.#taken = sequence;
    this.#writer = writer;
  }

  /** `undefined` where there is nothing more for now. */
  next(): EntryGroup | undefined {
    const first = this.#nextEntry();
    if (first === undefined) return undefined;
    const { operation } = first.entry;
    if (operation.op !== "log-batch") {
      this.#held = this.#nextEntry();
      return { entries: [first], operation, isLast: this.#held === undefined };
    }
    const batch = new MergedBatch(operation);
    const entries: [DrainedEntry, ...DrainedEntry[]] = [first];
    let next = this.#nextEntry();
    while (next !== undefined && next.entry.attempt === first.entry.attempt && batch.add(next.entry.operation)) {
      entries.push(next);
      next = this.#nextEntry();
    }
    this.#held = next;
    return { entries, operation: entries.length === 1 ? operation : batch.operation, isLast: next === undefined };
  }

  [Symbol.dispose](): void {
    this.#reader[Symbol.dispose]();
  }

  #nextEntry(): DrainedEntry | undefined {
    const held = this.#held;
    this.#held = undefined;
    if (held !== undefined) return held;
    for (;;) {
      const next = this.#reader.next() ?? this.#nextInMemory();
      if (next === undefined) return undefined;
      if (next.entry.sequence <= this.#taken) continue;
      this.#taken = next.entry.sequence;
      return next;
    }
  }

  #nextInMemory(): DrainedEntry | undefined {
    if (this.#memory === undefined && this.#writer?.isStuck !== true) return undefined;
    this.#memory ??= this.#writer?.unwritten(this.#taken);
    const next = this.#memory?.next();
    if (next?.done === false) return { entry: next.value, position: this.#reader.position };
    this.#memory = undefined;
    return undefined;
  }
}
