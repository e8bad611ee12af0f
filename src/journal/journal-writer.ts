import { mkdirSync, writeSync } from "node:fs";
import type { JournalEntry } from "../entities/journal-entry.ts";
import { TrackError } from "../errors.ts";
import { hasCode, messageOf } from "../util/error-code.ts";
import { encodeEntry } from "../wire/journal-entry-codec.ts";
import { readLastSequence } from "./journal-reader.ts";
import { PendingLines } from "./pending-lines.ts";
import { createSegmentSync, SegmentFile } from "./segment-file.ts";
import { SyncQueue } from "./sync-queue.ts";

export type NewEntry = Omit<JournalEntry, "sequence">;

export interface JournalWriterOptions {
  /** Nothing could be written for `stuckAfterMs`; told once until `onRecovered`. */
  readonly onStuck?: (error: Error) => void;
  readonly onRecovered?: () => void;
  /** After each write: entries up to this sequence number can be read from the files. */
  readonly onWritten?: (sequence: number) => void;
  readonly segmentBytes?: number;
  /** What is held at most while it cannot be written; what comes beyond is dropped and counted. */
  readonly memoryBytes?: number;
  readonly stuckAfterMs?: number;
  readonly retryMs?: number;
}

const defaults = { segmentBytes: 64 * 2 ** 20, memoryBytes: 64 * 2 ** 20, stuckAfterMs: 5000, retryMs: 250 };
const collectBytes = 256 * 1024;
/** Beyond this a source that can wait should. */
const congestedBytes = 2 ** 20;

interface Waiter {
  readonly sequence: number;
  readonly settle: (error?: Error) => void;
}

/**
 * Appends entries to a journal, in segments that no other session writes to. One `write(2)` is under way at a time,
 * begun at the latest when the present turn of the event loop ends. An error of the disk is no error of `append`: what
 * cannot be written is kept and tried again, first at the same place (a full disk), else from the last whole line in a new segment.
 */
export class JournalWriter {
  readonly #folder: string;
  readonly #options: JournalWriterOptions & typeof defaults;
  readonly #pending: PendingLines;
  readonly #syncs: SyncQueue;
  #segment: SegmentFile | undefined;
  #lastSequence: number;
  #isScheduled = false;
  #isPumping = false;
  #isClosed = false;
  #stuckError: Error | undefined;
  #lastError: Error | undefined;
  #stuckTimer: NodeJS.Timeout | undefined;
  #waiters: Waiter[] = [];
  #wakeRetry: (() => void) | undefined;
  #droppedEntries = 0;

  /** The folder is made (0700) where it is missing. The number of the first entry follows the last one in the folder. */
  static open(folder: string, options: JournalWriterOptions = {}): JournalWriter {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    return new JournalWriter(folder, options);
  }

  private constructor(folder: string, options: JournalWriterOptions) {
    this.#folder = folder;
    this.#options = { ...defaults, ...options };
    this.#syncs = new SyncQueue(this.#options.stuckAfterMs);
    this.#lastSequence = readLastSequence(folder);
    this.#pending = new PendingLines(this.#lastSequence + 1);
  }

  /** The entry's sequence number, or `undefined` where it had to be dropped (counted in `droppedEntries`). Never throws for the disk's sake. */
  append(entry: NewEntry): number | undefined {
    if (this.#isClosed) throw new Error("the journal is closed");
    const sequence = this.#lastSequence + 1;
    const line = encodeEntry({ sequence, ...entry });
    if (this.#pending.bytes + line.length > this.#options.memoryBytes) {
      this.#droppedEntries += 1;
      return undefined;
    }
    this.#lastSequence = sequence;
    this.#pending.add(line);
    if (this.#pending.bytes >= collectBytes) this.#startPump();
    else if (!this.#isScheduled) this.#schedule();
    return sequence;
  }

  /** As `append`, resolved once `write(2)` has returned, so that the entry survives `kill -9`; at once while the journal is stuck. */
  async appendNow(entry: NewEntry): Promise<number | undefined> {
    const sequence = this.append(entry);
    if (sequence !== undefined) await this.written();
    return sequence;
  }

  /** Resolves once `write(2)` has returned for all that was appended, so that it survives `kill -9`; at once while the journal is stuck. */
  async written(): Promise<void> {
    if (this.isStuck || this.#pending.isEmpty) return;
    this.#startPump();
    await this.#written(this.#lastSequence).catch(ignoreStuck);
  }

  /** All that was appended is on the disk (fdatasync). Rejects while the journal is stuck, or when it gets stuck on the way; so within `stuckAfterMs`. */
  async flush(): Promise<void> {
    if (this.#stuckError !== undefined) throw this.#stuckError;
    this.#startPump();
    await this.#written(this.#lastSequence);
    if (this.#segment !== undefined) await this.#syncs.sync(this.#segment);
    else await this.#syncs.settled();
  }

  /** A promise while a source that can wait should wait: much is pending and the journal makes progress. Resolves also when it gets stuck. */
  get congestion(): Promise<void> | undefined {
    if (this.#pending.bytes < congestedBytes || this.isStuck) return undefined;
    return this.#written(this.#lastSequence).catch(ignoreStuck);
  }

  /** Bytes (about: UTF-16 units) that no `write(2)` has taken yet. */
  get pendingBytes(): number {
    return this.#pending.bytes;
  }

  get lastSequence(): number {
    return this.#lastSequence;
  }

  get droppedEntries(): number {
    return this.#droppedEntries;
  }

  get isStuck(): boolean {
    return this.#stuckError !== undefined;
  }

  /** Entries above `sequence` that lie in memory only, in order: what a reader cannot see while the journal is stuck. */
  unwritten(sequence: number): Generator<JournalEntry, void, undefined> {
    return this.#pending.entries(sequence);
  }

  /** The store has everything up to `sequence`: memory held for it is freed, and the journal will not have these entries. */
  release(sequence: number): void {
    this.#pending.release(sequence);
  }

  /**
   * Writes what is pending, syncs and closes. Rejects where the journal is stuck; the writer is closed all the same. `isStored`:
   * nothing in the journal is needed any more, so the disk is spared.
   */
  async close(isStored = false): Promise<void> {
    const flushed = isStored ? this.written() : this.flush();
    this.#isClosed = true;
    let isSynced = isStored;
    try {
      await flushed;
      isSynced = true;
    } finally {
      this.#wakeRetry?.();
      if (!this.#isPumping) this.#retireSegment(isSynced);
    }
    await this.#syncs.settled();
  }

  /** For a crash handler: writes what is pending before it returns, whatever is under way. Throws what the disk answers. */
  writeOutNow(): void {
    const bytes = this.#pending.unwrittenBytes();
    let position = this.#segment?.size ?? 0;
    if (bytes.length === 0) return;
    const fd = this.#segment?.fd ?? createSegmentSync(this.#folder);
    for (let offset = 0; offset < bytes.length;) {
      const count = writeSync(fd, bytes, offset, bytes.length - offset, position);
      offset += count;
      position += count;
    }
  }

  #schedule(): void {
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#startPump();
    });
  }

  #startPump(): void {
    if (this.#isPumping || this.#pending.isEmpty) return;
    this.#isPumping = true;
    this.#armStuckTimer();
    void this.#pump();
  }

  /** Never rejects: each failure is waited out. */
  async #pump(): Promise<void> {
    while (!this.#pending.isEmpty && !(this.#isClosed && this.isStuck)) {
      try {
        await this.#writeSome();
        this.#noteProgress();
      } catch (error) {
        await this.#waitOut(error);
      }
    }
    clearTimeout(this.#stuckTimer);
    this.#isPumping = false;
    if (this.#isClosed) this.#retireSegment();
  }

  async #writeSome(): Promise<void> {
    if (
      this.#segment !== undefined &&
      this.#segment.size >= this.#options.segmentBytes &&
      this.#pending.isAtLineStart
    ) {
      this.#retireSegment();
    }
    this.#segment ??= await SegmentFile.create(this.#folder);
    const chunk = this.#pending.chunk();
    if (chunk !== undefined) this.#pending.advance(await this.#segment.write(chunk.buffer, chunk.offset));
  }

  #noteProgress(): void {
    this.#lastError = undefined;
    this.#stuckTimer?.refresh();
    const written = this.#pending.firstSequence - 1;
    this.#settleWaiters(written);
    if (this.#stuckError !== undefined) {
      this.#stuckError = undefined;
      this.#armStuckTimer();
      this.#options.onRecovered?.();
    }
    this.#options.onWritten?.(written);
  }

  async #waitOut(error: unknown): Promise<void> {
    this.#lastError = error instanceof Error ? error : new Error(String(error));
    if (!hasCode(error, "ENOSPC", "EDQUOT", "EAGAIN", "EINTR") && (this.#segment?.size ?? 0) > 0) {
      this.#pending.backToLineStart();
      this.#retireSegment();
    }
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, this.#options.retryMs);
      this.#wakeRetry = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wakeRetry = undefined;
  }

  #retireSegment(isSynced = false): void {
    if (this.#segment !== undefined) this.#syncs.retire(this.#segment, isSynced);
    this.#segment = undefined;
  }

  #armStuckTimer(): void {
    clearTimeout(this.#stuckTimer);
    this.#stuckTimer = setTimeout(() => this.#becomeStuck(), this.#options.stuckAfterMs);
  }

  #becomeStuck(): void {
    const reason = this.#lastError === undefined ? "the disk does not answer" : messageOf(this.#lastError);
    this.#stuckError = new TrackError(`the journal cannot be written: ${reason}`, {
      hint: `free some space below ${this.#folder}`,
      cause: this.#lastError,
    });
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter.settle(this.#stuckError);
    this.#options.onStuck?.(this.#stuckError);
  }

  #written(sequence: number): Promise<void> {
    if (sequence < this.#pending.firstSequence) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const settle = (error?: Error): void => (error === undefined ? resolve() : reject(error));
      this.#waiters.push({ sequence, settle });
    });
  }

  #settleWaiters(written: number): void {
    const count = this.#waiters.findIndex((waiter) => waiter.sequence > written);
    const settled = count === -1 ? this.#waiters.splice(0) : this.#waiters.splice(0, count);
    for (const waiter of settled) waiter.settle();
  }
}

function ignoreStuck(error: unknown): void {
  if (!(error instanceof TrackError)) throw error;
}
