import type { JournalEntry, StoreOperation } from "../entities/journal-entry.ts";
import type { RunInfo } from "../entities/run.ts";
import type { StoreError } from "../errors.ts";
import type { ApplyContext } from "./apply-operation.ts";
import type { DrainProgress } from "./drain-progress.ts";
import type { DrainedEntry, EntryGroup } from "./entry-groups.ts";
import type { KeptParam } from "./log-params-once.ts";
import { splitBatch } from "./merged-batch.ts";
import type { PatientStore, WriteOutcome } from "./patient-store.ts";
import { spoolPathIn } from "./spooled-artifact.ts";

export interface SettlerOptions extends Pick<ApplyContext, "openArtifacts" | "runIds"> {
  /** The journal folder. */
  readonly folder: string;
  readonly progress: DrainProgress;
  readonly store: PatientStore;
  /** For a journal that may be older than what the store has: `ApplyContext.guardedAttempt`. */
  readonly guardAttempt?: boolean;
  /** Once for each entry that the store refused for good; it is in `refused.ndjson`. */
  readonly onRefused?: (entry: JournalEntry, error: StoreError) => void;
  /** A param that the store has with another value is kept as a tag. */
  readonly onParamKept?: (kept: KeptParam) => void;
  /** The entry is stored or refused, and the progress noted. */
  readonly onSettled: (sequence: number) => void;
}

/** Writes groups of entries to the store until each entry is stored or refused, or the store is stopped. */
export class GroupSettler {
  readonly #options: SettlerOptions;
  readonly #knownRuns = new Map<string, RunInfo>();
  readonly #knownModels = new Map<string, string>();

  constructor(options: SettlerOptions) {
    this.#options = options;
  }

  /** In one transaction, for groups that are small; false where each has to be settled by itself. */
  async settleTogether(groups: readonly EntryGroup[]): Promise<boolean> {
    // The ids that a store gives are noted at once: no transaction that made them may be undone.
    if (this.#options.runIds !== undefined && groups.some(({ operation }) => operation.op.startsWith("create-")))
      return false;
    const writes = groups.map(({ entries, operation }) => ({ operation, context: this.#context(entries[0].entry) }));
    if (!(await this.#options.store.writeTogether(writes))) return false;
    for (const { entries, operation } of groups) {
      this.#noteStored(operation);
      this.#advance(entries.at(-1) ?? entries[0]);
    }
    return true;
  }

  /** As one write; where that is refused, entry by entry. */
  async settle({ entries, operation }: EntryGroup): Promise<void> {
    const outcome = await this.#write(operation, entries[0].entry);
    if (outcome.kind === "stopped") return;
    if (outcome.kind === "stored") return this.#advance(entries.at(-1) ?? entries[0]);
    for (const drained of entries) {
      const alone = entries.length === 1 ? outcome : await this.#write(drained.entry.operation, drained.entry);
      const isSettled =
        alone.kind === "refused" ? await this.#setAside(drained.entry, alone.error) : alone.kind === "stored";
      if (!isSettled) return;
      this.#advance(drained);
    }
  }

  /** False where the store was stopped. One bad param must not cost the metrics said in the same breath: the parts of a batch are tried apart. */
  async #setAside(entry: JournalEntry, error: StoreError): Promise<boolean> {
    const { operation } = entry;
    const parts = operation.op === "log-batch" ? splitBatch(operation) : [];
    if (parts.length < 2) {
      this.#refuse(entry, error);
      return true;
    }
    const refused: { readonly part: StoreOperation; readonly error: StoreError }[] = [];
    for (const part of parts) {
      const outcome = await this.#write(part, entry);
      if (outcome.kind === "stopped") return false;
      if (outcome.kind === "refused") refused.push({ part, error: outcome.error });
    }
    const [first] = refused;
    if (first !== undefined)
      this.#refuse(refused.length > 1 ? entry : { ...entry, operation: first.part }, first.error);
    return true;
  }

  #refuse(entry: JournalEntry, error: StoreError): void {
    if (this.#options.progress.refuse(entry, error)) this.#options.onRefused?.(entry, error);
  }

  async #write(operation: StoreOperation, entry: JournalEntry): Promise<WriteOutcome> {
    const { store, onParamKept } = this.#options;
    const keeping = { attempt: entry.attempt, onKept: (kept: KeptParam) => onParamKept?.(kept) };
    const outcome = await store.write(operation, { ...this.#context(entry), keeping });
    if (outcome.kind === "stored") this.#noteStored(operation);
    return outcome;
  }

  #context({ attempt }: JournalEntry): ApplyContext {
    const { folder, openArtifacts, runIds, guardAttempt } = this.#options;
    const known = { knownRuns: this.#knownRuns, knownModels: this.#knownModels };
    return {
      folder,
      openArtifacts,
      ...known,
      ...(runIds !== undefined && { runIds }),
      ...(guardAttempt === true && { guardedAttempt: attempt }),
    };
  }

  #noteStored(operation: StoreOperation): void {
    const { folder, progress } = this.#options;
    if (operation.op === "log-artifact") progress.noteStoredFile(spoolPathIn(folder, operation));
  }

  #advance(drained: DrainedEntry): void {
    this.#options.progress.advance(drained);
    this.#options.onSettled(drained.entry.sequence);
  }
}
