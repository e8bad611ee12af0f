import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { Run } from "../../src/entities/run.ts";
import { openTrackingStore } from "../../src/store/open-store.ts";
import type { TrackingStore } from "../../src/store/tracking-store.ts";

export const repository = resolve(import.meta.dirname, "../..");
/** Where global-setup has built `track`: `bin/track`, `dist` and `node_modules`. */
export const installed = process.env["TRACK_TEST_INSTALLED"] ?? repository;
export const bin = join(installed, "bin/track");
export const programs = join(repository, "fixtures/programs");

export interface Finished {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly durationMs: number;
}

export interface StartOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  readonly input?: string;
  readonly detached?: boolean;
}

export interface Started {
  readonly process: ChildProcess;
  readonly finished: Promise<Finished>;
  readonly stdout: () => string;
  readonly stderr: () => string;
}

/** A temporary home and working folder, in which the built `track` is run for real. */
export class TrackRig implements AsyncDisposable {
  readonly root: string;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly #started: ChildProcess[] = [];

  static setup(): TrackRig {
    return new TrackRig(mkdtempSync(join(tmpdir(), "rig-")));
  }

  private constructor(root: string) {
    this.root = root;
    this.cwd = join(root, "work");
    for (const folder of ["work", "home", "run", "tmp"]) mkdirSync(join(root, folder), { mode: 0o700 });
    this.env = {
      PATH: process.env["PATH"] ?? "/usr/bin:/bin",
      HOME: join(root, "home"),
      USER: "rigger",
      XDG_RUNTIME_DIR: join(root, "run"),
      TMPDIR: join(root, "tmp"),
      LANG: "C.UTF-8",
    };
  }

  get journals(): string {
    return join(this.root, "home/.local/state/track/journals");
  }

  journalNames(): readonly string[] {
    try {
      return readdirSync(this.journals);
    } catch {
      return [];
    }
  }

  get trackingUri(): string {
    return `sqlite:///${join(this.cwd, "mlflow.db")}`;
  }

  start(args: readonly string[], options: StartOptions = {}): Started {
    return this.spawn(bin, args, options);
  }

  track(args: readonly string[], options: StartOptions = {}): Promise<Finished> {
    return this.start(args, options).finished;
  }

  /** Any program in the rig's environment, such as a shell script around `track`. */
  spawn(program: string, args: readonly string[], options: StartOptions = {}): Started {
    const began = performance.now();
    const env = { ...this.env, PATH: `${join(installed, "bin")}:${this.env["PATH"]}`, ...options.env };
    const child = spawn(program, args, {
      cwd: options.cwd ?? this.cwd,
      env,
      stdio: ["pipe", "pipe", "pipe"],
      detached: options.detached ?? false,
    });
    this.#started.push(child);
    let stdout = "";
    let stderr = "";
    child.stdout?.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.stderr?.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    child.stdin?.on("error", () => {});
    child.stdin?.end(options.input ?? "");
    const finished = new Promise<Finished>((settle, fail) => {
      child.on("error", fail);
      child.on("close", (code, signal) =>
        settle({ code, signal, stdout, stderr, durationMs: performance.now() - began }),
      );
    });
    return { process: child, finished, stdout: () => stdout, stderr: () => stderr };
  }

  /** Writes an executable script into the working folder. */
  script(name: string, text: string): string {
    const path = join(this.cwd, name);
    writeFileSync(path, text);
    chmodSync(path, 0o755);
    return path;
  }

  openStore(uri = this.trackingUri): Promise<TrackingStore> {
    return openTrackingStore(uri, { mode: "read" });
  }

  /** All runs of all experiments, newest first. */
  async runs(uri = this.trackingUri): Promise<readonly Run[]> {
    await using store = await this.openStore(uri);
    const experiments = await store.searchExperiments({ viewType: "ALL" });
    const ids = experiments.items.map((experiment) => experiment.experimentId);
    return (await store.searchRuns({ experimentIds: ids, viewType: "ALL" })).items;
  }

  /** The only run. */
  async run(uri = this.trackingUri): Promise<Run> {
    const runs = await this.runs(uri);
    const [run] = runs;
    if (run === undefined || runs.length !== 1) throw new Error(`${runs.length} runs instead of one`);
    return run;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#started) {
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
    }
    await waitFor(() => processesIn(this.root).length === 0, { timeoutMs: 10_000 }).catch(() => {
      for (const pid of processesIn(this.root)) process.kill(pid, "SIGKILL");
    });
    rmSync(this.root, { recursive: true, force: true, maxRetries: 5 });
  }
}

export const tagsOf = (run: Run): Readonly<Record<string, string>> =>
  Object.fromEntries(run.data.tags.map(({ key, value }) => [key, value]));

export const paramsOf = (run: Run): Readonly<Record<string, string>> =>
  Object.fromEntries(run.data.params.map(({ key, value }) => [key, value]));

/** Latest values by key; `system/*` left out. */
export const metricsOf = (run: Run): Readonly<Record<string, number>> =>
  Object.fromEntries(
    run.data.metrics.filter(({ key }) => !key.startsWith("system/")).map(({ key, value }) => [key, value]),
  );

/** Waits for a condition, one that throws counts as not true yet; throws when it does not come true in time. */
export async function waitFor<Value>(
  condition: () => Value | Promise<Value>,
  options: { readonly timeoutMs?: number; readonly what?: string } = {},
): Promise<NonNullable<Value>> {
  const deadline = performance.now() + (options.timeoutMs ?? 15_000);
  for (;;) {
    let failure: unknown;
    try {
      const value = await condition();
      if (value) return value;
    } catch (error) {
      // A file or a run that is not there yet: that is what is waited for.
      failure = error;
    }
    if (performance.now() > deadline) {
      throw new Error(`did not come true: ${options.what ?? condition.toString()}`, { cause: failure });
    }
    await new Promise((settle) => setTimeout(settle, 20));
  }
}

/** Processes whose environment names the rig's folder: everything that was started in it. */
export function processesIn(root: string): readonly number[] {
  return readdirSync("/proc")
    .map(Number)
    .filter((pid) => pid > 0 && pid !== process.pid && mentions(pid, root));
}

function mentions(pid: number, root: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/environ`).includes(root);
  } catch {
    return false;
  }
}
