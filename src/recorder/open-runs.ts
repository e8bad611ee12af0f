import type { JournalMemo, StoreOperation } from "../entities/journal-entry.ts";
import { trackTags } from "../entities/tag-keys.ts";
import type { JournalHeader } from "../wire/journal-header.ts";

/**
 * The runs that the command's processes created through us, the wrapper's own not among them, and which of them still run. A
 * program of its own also ends those that it has continued.
 */
export class OpenRuns {
  readonly #ownRunId: string;
  readonly #isProgram: boolean;
  readonly #isRunning = new Map<string, boolean>();
  readonly #made = new Set<string>();
  readonly #lifeTagged = new Set<string>();
  #hasCreated = false;
  /** Told of each run that begins to run, or ends. */
  onChange: (runId: string, isRunning: boolean) => void = () => {};

  constructor({ runId, kind }: Pick<JournalHeader, "runId" | "kind">) {
    this.#ownRunId = runId;
    this.#isProgram = kind === "program";
  }

  /** Something was created that only the journal may know yet. */
  get hasCreated(): boolean {
    return this.#hasCreated;
  }

  /** Ids of the runs that nobody has ended. An inner `track run` ends its own. */
  get running(): readonly string[] {
    return Array.from(
      this.#isRunning.entries().filter(([, isRunning]) => isRunning),
      ([runId]) => runId,
    );
  }

  /** Made here, and not continued. */
  isMade(runId: string): boolean {
    return this.#made.has(runId);
  }

  /** It has the tags that say where it lives. */
  hasLifeTags(runId: string): boolean {
    return this.#lifeTagged.has(runId);
  }

  observe(operation: StoreOperation, memo: JournalMemo = {}): void {
    if (operation.op === "create-logged-model") this.#hasCreated = true;
    if (!("runId" in operation) || operation.runId === this.#ownRunId) return;
    this.#observeLifeTags(operation);
    // What is made at a server at once is only continued in the journal.
    if (operation.op === "create-run" || memo.requestKey !== undefined) this.#made.add(operation.runId);
    if (operation.op === "create-run") {
      this.#hasCreated = true;
      const isInner = operation.tags.some(({ key }) => key === trackTags.createId);
      if (!isInner) this.#note(operation.runId, true);
    } else if (this.#isRunning.has(operation.runId) || (this.#isProgram && operation.op === "update-run")) {
      if (operation.op === "update-run" && operation.status !== undefined) {
        this.#note(operation.runId, operation.status === "RUNNING");
      }
      if (operation.op === "delete-run") this.#note(operation.runId, false);
    }
  }

  #observeLifeTags(operation: Extract<StoreOperation, { readonly runId: string }>): void {
    if (operation.op === "delete-tag" && operation.key === trackTags.process) this.#lifeTagged.delete(operation.runId);
    if (operation.op !== "log-batch" || operation.tags === undefined || !this.#isProgram) return;
    if (operation.tags.some(({ key }) => key === trackTags.process)) this.#lifeTagged.add(operation.runId);
  }

  #note(runId: string, isRunning: boolean): void {
    const before = this.#isRunning.get(runId) ?? false;
    this.#isRunning.set(runId, isRunning);
    if (before !== isRunning) this.onChange(runId, isRunning);
  }
}
