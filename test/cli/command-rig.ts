import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createContext } from "../../src/cli/context.ts";
import type { LogBatchRequest } from "../../src/store/tracking-store.ts";
import { openTrackingStore } from "../../src/store/open-store.ts";
import type { TrackingStore } from "../../src/store/tracking-store.ts";
import { main } from "../../src/main.ts";
import { TestIo, type TestIoOptions } from "./test-io.ts";

/** "Now" in these tests. */
export const now = Date.UTC(2026, 4, 1, 12, 0, 0);

export interface SeedRun extends LogBatchRequest {
  readonly runId: string;
  readonly runName?: string;
  readonly experimentId?: string;
  readonly startTime?: number;
  readonly endTime?: number;
  readonly status?: "FINISHED" | "FAILED" | "KILLED" | "SCHEDULED";
}

/** A folder with a real MLflow database, and `track` commands run in it inside this process. */
export class CommandRig implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), "track-cli-"));

  /** Runs `track <args>`, stdout a pipe, or a terminal of `columns` cells. */
  async track(args: readonly string[], options: TestIoOptions & { readonly env?: Record<string, string> } = {}) {
    const io = new TestIo(options);
    const context = createContext({ io, cwd: this.folder, env: options.env ?? {}, now: () => now });
    const exitCode = await main(args, context);
    return { exitCode, stdout: io.stdout, stderr: io.stderr, lines: io.lines };
  }

  openStore(mode: "read" | "write" = "write"): Promise<TrackingStore> {
    return openTrackingStore(`sqlite:///${join(this.folder, "mlflow.db")}`, { mode });
  }

  async seed(...runs: readonly SeedRun[]): Promise<void> {
    await using store = await this.openStore();
    for (const run of runs) {
      await store.createRun({
        experimentId: run.experimentId ?? "0",
        runId: run.runId,
        userId: "ada",
        startTime: run.startTime ?? now - 60_000,
        runName: run.runName ?? `run-${run.runId.slice(0, 4)}`,
        tags: run.tags ?? [],
      });
      await store.logBatch(run.runId, { metrics: run.metrics ?? [], params: run.params ?? [] });
      if (run.status === undefined && run.endTime === undefined) continue;
      await store.updateRun(run.runId, {
        status: run.status ?? "FINISHED",
        ...(run.endTime !== undefined && { endTime: run.endTime }),
      });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    rmSync(this.folder, { recursive: true, force: true });
    await Promise.resolve();
  }
}

/** A run id that begins with `start`. */
export const idOf = (start: string): string => start.padEnd(32, "0");
