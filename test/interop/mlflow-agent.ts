import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface, type Interface } from "node:readline";
import type { SearchRunsQuery } from "../../src/store/tracking-store.ts";
import type { StoreDump } from "./dump-store.ts";
import { type MlflowVersion, venvProgram } from "./mlflow-versions.ts";

/** What `python/mlflow_agent.py` can be asked for: arguments and answer of each request. */
export interface MlflowRequests {
  readonly dump_store: { readonly args: { uri: string }; readonly answer: StoreDump };
  /** Answers the id of the run that has everything. */
  readonly make_runs: { readonly args: { uri: string }; readonly answer: string };
  readonly make_story: { readonly args: { uri: string }; readonly answer: null };
  readonly resume_run: {
    readonly args: { uri: string; run_id: string };
    readonly answer: { params: Record<string, string>; status: string; changed_param: string };
  };
  readonly search_runs: {
    readonly args: { uri: string; queries: readonly Omit<SearchRunsQuery, "experimentIds">[] };
    readonly answer: readonly (readonly string[])[];
  };
  /** Values that JSON cannot say are texts, such as "nan". Answers the new run's id. */
  readonly log_batches: {
    readonly args: {
      uri: string;
      batches: readonly (readonly (readonly [value: string, timestamp: number, step: number, key: string])[])[];
    };
    readonly answer: string;
  };
  readonly log_until: {
    readonly args: { uri: string; points: number; stop_file: string };
    readonly answer: { run_id: string; points: number };
  };
  readonly change_by_hand: {
    readonly args: { uri: string; run_id: string; experiment_id: string };
    readonly answer: null;
  };
}

/** The environment of MLflow's processes: nothing of the tests' own settings, no calls home. */
export const mlflowEnvironment = (folder: string): Record<string, string> => ({
  PATH: process.env["PATH"] ?? "/usr/bin:/bin",
  HOME: folder,
  USER: "ada",
  LANG: "C.UTF-8",
  MLFLOW_DISABLE_TELEMETRY: "true",
  PYTHONDONTWRITEBYTECODE: "1",
});

/** One Python process with plain MLflow in it; requests are answered one after the other. */
export class MlflowAgent implements AsyncDisposable {
  readonly folder: string;
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #lines: NodeJS.AsyncIterator<string>;
  readonly #interface: Interface;
  #stderr = "";

  /** `folder` is its working folder: artifacts of experiments that it makes lie in `mlruns` there. */
  constructor(version: MlflowVersion, folder: string) {
    this.folder = folder;
    const script = join(import.meta.dirname, "python/mlflow_agent.py");
    this.#process = spawn(venvProgram(version, "python"), [script], { cwd: folder, env: mlflowEnvironment(folder) });
    this.#process.stderr.setEncoding("utf8").on("data", (text: string) => (this.#stderr += text));
    this.#interface = createInterface({ input: this.#process.stdout });
    this.#lines = this.#interface[Symbol.asyncIterator]();
  }

  /** Rejects with Python's traceback. */
  async ask<Name extends keyof MlflowRequests>(
    name: Name,
    args: MlflowRequests[Name]["args"],
  ): Promise<MlflowRequests[Name]["answer"]> {
    this.#process.stdin.write(`${JSON.stringify({ do: name, ...args })}\n`);
    const line = await this.#lines.next();
    if (line.done === true) throw new Error(`MLflow is gone: ${this.#stderr}`);
    const reply = JSON.parse(line.value) as { answer?: MlflowRequests[Name]["answer"]; error?: string };
    if (reply.error !== undefined) throw new Error(reply.error);
    return reply.answer as MlflowRequests[Name]["answer"];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const exit = once(this.#process, "exit");
    this.#process.stdin.end();
    this.#process.kill("SIGKILL");
    await exit;
    this.#interface.close();
  }
}
