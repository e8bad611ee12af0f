import { statSync } from "node:fs";
import type { DrainProgress } from "./drain-progress.ts";
import { type EntryGroup, EntryGroups, type WriterMemory } from "./entry-groups.ts";
import { JournalReader } from "./journal-reader.ts";
import { spoolPathIn } from "./spooled-artifact.ts";

export interface BacklogOptions {
  /** The journal folder; its claim is the caller's business. */
  readonly folder: string;
  readonly progress: DrainProgress;
  readonly writer?: WriterMemory;
  /** A line of the journal that is no entry; it is passed over. */
  readonly onDamaged?: () => void;
}

/** What one transaction may hold without keeping other writers out for long. */
const groupsTogether = 32;
const smallPoints = 200;
const smallFileBytes = 65_536;

/** What of a journal lies behind the drain's cursor, in the groups that it is written in. */
export class Backlog implements Disposable {
  readonly #options: BacklogOptions;
  #groups: EntryGroups;

  constructor(options: BacklogOptions) {
    this.#options = options;
    this.#groups = this.#fromCursor();
  }

  /** `undefined` where there is nothing more for now. Throws what the disk answers; then `rewind` comes first. */
  next(): EntryGroup | undefined {
    return this.#groups.next();
  }

  /** Begins anew behind the cursor. */
  rewind(): void {
    this.#groups[Symbol.dispose]();
    this.#groups = this.#fromCursor();
  }

  [Symbol.dispose](): void {
    this.#groups[Symbol.dispose]();
  }

  /** The group with those behind it that are small as well: one write for all of a short run's end. */
  followersOf(first: EntryGroup): readonly EntryGroup[] {
    const groups = [first];
    let last = first;
    try {
      while (!last.isLast && this.isSmall(last) && groups.length < groupsTogether) {
        const next = this.#groups.next();
        if (next === undefined) break;
        groups.push(next);
        last = next;
      }
    } catch (error) {
      // The next turn meets it again, and waits.
      if (!(error instanceof Error && "code" in error)) throw error;
    }
    return groups;
  }

  /** It may share a transaction. */
  isSmall({ operation }: EntryGroup): boolean {
    if (operation.op === "log-batch") return (operation.metrics?.length ?? 0) <= smallPoints;
    if (operation.op !== "log-artifact") return true;
    try {
      const stats = statSync(spoolPathIn(this.#options.folder, operation), { throwIfNoEntry: false });
      return stats === undefined || (stats.isFile() && stats.size <= smallFileBytes);
    } catch {
      // A path that is no good is set aside by itself.
      return false;
    }
  }

  #fromCursor(): EntryGroups {
    const { folder, progress, writer, onDamaged } = this.#options;
    const { position, sequence } = progress.cursor;
    const reader = new JournalReader(folder, { from: position, ...(onDamaged === undefined ? {} : { onDamaged }) });
    return new EntryGroups(reader, sequence, writer);
  }
}
