import { rmSync } from "node:fs";
import type { JournalEntry } from "../entities/journal-entry.ts";
import type { StoreError } from "../errors.ts";
import type { JournalCursor } from "./cursor.ts";
import { readCursor, writeCursor } from "./cursor.ts";
import type { DrainedEntry } from "./entry-groups.ts";
import { RefusedLog } from "./refused-log.ts";
import { monotonicMs } from "../util/monotonic.ts";

const beginning = { position: { segment: 0, offset: 0 }, sequence: 0 };

/**
 * How far a drain is, in memory and on the disk. What is set aside is on the disk before the cursor passes it,
 * and a spooled file goes only after.
 */
export class DrainProgress {
  readonly #folder: string;
  readonly #refused: RefusedLog;
  readonly #intervalMs: number;
  #cursor: JournalCursor;
  #isSaved = true;
  #savedAt = 0;
  #storedFiles: string[] = [];
  /** Entries up to here are written for a second time. */
  #replayedSequence = 0;

  constructor(folder: string, intervalMs: number) {
    this.#folder = folder;
    this.#intervalMs = intervalMs;
    this.#refused = new RefusedLog(folder);
    this.#cursor = readCursor(folder) ?? beginning;
  }

  get cursor(): JournalCursor {
    return this.#cursor;
  }

  get isSaved(): boolean {
    return this.#isSaved;
  }

  get refusedEntries(): number {
    return this.#refused.size;
  }

  advance({ entry, position }: DrainedEntry): void {
    this.#change({ ...this.#cursor, position, sequence: entry.sequence });
    this.saveIfDue();
  }

  /** Back to the beginning, so that all is written once more. */
  restart(): void {
    this.#replayedSequence = this.#cursor.sequence;
    this.#change({ ...this.#cursor, ...beginning });
  }

  setRevision(revision: string): void {
    this.#change({ ...this.#cursor, revision });
  }

  /** True where the entry is newly set aside. In a replay it was judged before; what stands against it now came later. */
  refuse(entry: JournalEntry, error: StoreError): boolean {
    return entry.sequence > this.#replayedSequence && this.#refused.add(entry, error);
  }

  /** The spooled file or folder is stored and goes once the cursor has passed its entry. */
  noteStoredFile(path: string): void {
    this.#storedFiles.push(path);
  }

  saveIfDue(): void {
    if (monotonicMs() - this.#savedAt >= this.#intervalMs) this.save();
  }

  save(): void {
    if (this.#isSaved) return;
    this.#savedAt = monotonicMs();
    try {
      this.#refused.write();
      writeCursor(this.#folder, this.#cursor);
      this.#isSaved = true;
      for (const path of this.#storedFiles.splice(0)) rmSync(path, { recursive: true, force: true });
    } catch (error) {
      // Whatever the disk answers: recording goes on, and an old cursor only means a replay.
      if (!(error instanceof Error && "code" in error)) throw error;
    }
  }

  #change(cursor: JournalCursor): void {
    this.#cursor = cursor;
    this.#isSaved = false;
  }
}
