import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readOrUndefined } from "../util/proc.ts";
import { journalFiles } from "../wire/journal-header.ts";
import type { RunIdMap } from "./apply-operation.ts";

type Ids = Readonly<Record<string, string>>;

/** The ids of a journal and those that a tracking server gave instead; empty where there are none yet. */
export function readRunIds(folder: string, file: string = journalFiles.runIds): Ids {
  const text = readOrUndefined(join(folder, file));
  if (text === undefined) return {};
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? Object.fromEntries(Object.entries(value)) : {};
  } catch (error) {
    if (error instanceof SyntaxError) return {};
    throw error;
  }
}

/** The id map of a journal for a tracking server, kept beside the cursor. A lost map is made anew: runs are found by their tag. */
export class RunIds implements RunIdMap {
  readonly #path: string;
  readonly #onCreated: (runId: string, storeRunId: string) => void;
  readonly #toStore: Map<string, string>;
  readonly #toJournal: Map<string, string>;
  readonly #earlierIds: Ids | undefined;
  readonly #untried = new Set<string>();

  constructor(
    folder: string,
    onCreated: (runId: string, storeRunId: string) => void = () => {},
    file: string = journalFiles.runIds,
    earlierIds?: Ids,
  ) {
    this.#earlierIds = earlierIds;
    this.#path = join(folder, file);
    this.#onCreated = onCreated;
    this.#toStore = new Map(Object.entries(readRunIds(folder, file)));
    this.#toJournal = new Map(Array.from(this.#toStore, ([runId, storeRunId]) => [storeRunId, runId]));
  }

  toStore(runId: string): string {
    return this.#toStore.get(runId) ?? runId;
  }

  toJournal(storeRunId: string): string {
    return this.#toJournal.get(storeRunId) ?? storeRunId;
  }

  isCreated(runId: string): boolean {
    return this.#toStore.has(runId);
  }

  earlierId(runId: string): string | undefined {
    return this.#earlierIds === undefined ? undefined : (this.#earlierIds[runId] ?? runId);
  }

  /** The intent to create it has just been written for the first time: no server can have heard of it. */
  noteUntried(runId: string): void {
    this.#untried.add(runId);
  }

  /** Whether an earlier call may have made the run; from now on it is so. */
  mayExist(runId: string): boolean {
    return !this.#untried.delete(runId);
  }

  created(runId: string, storeRunId: string): void {
    this.#toStore.set(runId, storeRunId);
    this.#toJournal.set(storeRunId, runId);
    this.#save();
    this.#onCreated(runId, storeRunId);
  }

  #save(): void {
    try {
      writeFileSync(`${this.#path}.new`, JSON.stringify(Object.fromEntries(this.#toStore)), { mode: 0o600 });
      renameSync(`${this.#path}.new`, this.#path);
    } catch (error) {
      // Whatever the disk answers: recording goes on with what lies in memory.
      if (!(error instanceof Error && "code" in error)) throw error;
    }
  }
}
