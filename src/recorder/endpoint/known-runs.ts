import type { StoreOperation } from "../../entities/journal-entry.ts";
import { isTerminalStatus } from "../../entities/run-status.ts";
import { KnownRun } from "./known-run.ts";

/** Sweeps make thousands of runs; the oldest of those that have ended are read from the store again. */
const keptRuns = 1000;

/** The runs that the command's processes have written to, the wrapper's own not among them. */
export class KnownRuns {
  readonly #ownRunId: string;
  readonly #runs = new Map<string, KnownRun>();

  constructor(ownRunId: string) {
    this.#ownRunId = ownRunId;
  }

  get(runId: string): KnownRun | undefined {
    return this.#runs.get(runId);
  }

  add(run: KnownRun): KnownRun {
    if (this.#runs.size >= keptRuns) this.#forgetOldest();
    this.#runs.set(run.info.runId, run);
    return run;
  }

  /** Takes in an operation that was journaled, by an endpoint or by anyone else of the recorder. */
  observe(operation: StoreOperation): void {
    if (operation.op === "delete-experiment" || operation.op === "restore-experiment") {
      // Its runs go and come with it.
      const op = operation.op === "delete-experiment" ? "delete-run" : "restore-run";
      for (const [runId, run] of this.#runs) {
        if (run.info.experimentId === operation.experimentId) run.observe({ op, runId });
      }
    }
    if (!("runId" in operation) || operation.runId === this.#ownRunId) return;
    if (operation.op === "create-run") {
      if (!this.#runs.has(operation.runId)) this.add(KnownRun.created(operation));
    } else {
      this.#runs.get(operation.runId)?.observe(operation);
    }
  }

  #forgetOldest(): void {
    const oldest = this.#runs.values().find(({ info }) => isTerminalStatus(info.status));
    if (oldest !== undefined) this.#runs.delete(oldest.info.runId);
  }
}
