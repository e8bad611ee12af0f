import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { JournalEntry } from "../entities/journal-entry.ts";
import type { ErrorCode, StoreError } from "../errors.ts";
import { decodeEntry, encodeEntry } from "../wire/journal-entry-codec.ts";
import { journalFiles } from "../wire/journal-header.ts";

/** An entry that the store refused for good; of a batch only the refused parts. */
export interface RefusedEntry {
  readonly entry: JournalEntry;
  readonly error: { readonly code: ErrorCode; readonly message: string };
}

/** What was set aside in a journal, in order; a torn last line is passed over. */
export function readRefused(folder: string): readonly RefusedEntry[] {
  const path = join(folder, journalFiles.refused);
  if (!existsSync(path)) return [];
  return readFileSync(path, "utf8")
    .split("\n")
    .map(parseRefused)
    .filter((refused) => refused !== undefined);
}

/** Appends to `refused.ndjson`, each entry once, over all sessions. Where the disk refuses a line, it is kept for the next `write`. */
export class RefusedLog {
  readonly #path: string;
  readonly #sequences: Set<number>;
  #lines: string[] = [];
  #isBehindLine = false;

  constructor(folder: string) {
    this.#path = join(folder, journalFiles.refused);
    this.#sequences = new Set(readRefused(folder).map(({ entry }) => entry.sequence));
  }

  /** Number of entries, those of earlier sessions included. */
  get size(): number {
    return this.#sequences.size;
  }

  /** False for an entry that is set aside already. */
  add(entry: JournalEntry, error: StoreError): boolean {
    if (this.#sequences.has(entry.sequence)) return false;
    this.#sequences.add(entry.sequence);
    const refused = { code: error.errorCode, message: error.message };
    this.#lines.push(`{"error":${JSON.stringify(refused)},"entry":${encodeEntry(entry)}}\n`);
    return true;
  }

  /** Throws what the disk answers; nothing is lost by that. */
  write(): void {
    if (this.#lines.length === 0) return;
    // The empty line ends what an earlier session may have left torn.
    appendFileSync(this.#path, `${this.#isBehindLine ? "" : "\n"}${this.#lines.join("")}`, { mode: 0o600 });
    this.#isBehindLine = true;
    this.#lines = [];
  }
}

function parseRefused(line: string): RefusedEntry | undefined {
  try {
    const { error, entry: written } = JSON.parse(line) as { error: RefusedEntry["error"]; entry: unknown };
    const entry = decodeEntry(JSON.stringify(written));
    return entry === undefined ? undefined : { entry, error };
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
