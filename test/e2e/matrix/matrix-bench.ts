import { execFileSync, spawn, type SpawnOptions } from "node:child_process";
import { existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Run } from "../../../src/entities/run.ts";
import { openTrackingStore } from "../../../src/store/open-store.ts";
import { bin, installed, processesIn, programs, tagsOf, waitFor } from "../rig.ts";

export interface RunResult {
  readonly stdout: Buffer;
  readonly stderr: string;
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface PtyResult {
  readonly output: string;
  /** As Python says it: negative for a signal. */
  readonly status: number | null;
  readonly failed: unknown;
}

/** A folder in which the built `track` wraps what tests give it, on pipes and terminals and in real shells. */
export class MatrixBench implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), "track-matrix-"));
  /** `<track> <command> [args...]` wraps a command, without a word of its own; `<track> run ...` is the plain call. */
  readonly track = join(this.folder, "track");
  /** bin/track itself, and the folder that it is installed in. */
  readonly launcher = bin;
  readonly installed = installed;

  constructor() {
    for (const folder of ["home", "run", "tmp"]) mkdirSync(this.path(folder), { mode: 0o700 });
    compile(this.track, "track-shim.c", `-DTARGET="${bin}"`);
  }

  /** Waits for what tests left running, then ends it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await waitFor(() => processesIn(this.folder).length === 0, { timeoutMs: 10_000 }).catch(() => {
      for (const pid of processesIn(this.folder)) process.kill(pid, "SIGKILL");
    });
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  /** Nothing that an earlier test has started still runs, its recorder among it. */
  async idle(): Promise<void> {
    await waitFor(() => processesIn(this.folder).length === 0, { what: "nothing runs any more" });
  }

  get trackingUri(): string {
    return `sqlite:///${this.path("mlflow.db")}`;
  }

  get env(): NodeJS.ProcessEnv {
    return {
      ...process.env,
      HOME: this.path("home"),
      XDG_RUNTIME_DIR: this.path("run"),
      TMPDIR: this.path("tmp"),
      MLFLOW_TRACKING_URI: this.trackingUri,
      track: this.track,
      P: programs,
      D: this.folder,
    };
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  read(name: string): string {
    return existsSync(this.path(name)) ? readFileSync(this.path(name), "utf8") : "";
  }

  /** Writes an executable file. */
  script(name: string, text: string): void {
    writeFileSync(this.path(name), text, { mode: 0o755 });
  }

  remove(...names: readonly string[]): void {
    for (const name of names) rmSync(this.path(name), { recursive: true, force: true });
  }

  /** The stored console log of the only run since `remove("mlruns")`; `undefined` while there is none. */
  captured(): Buffer | undefined {
    const [log, ...others] = globSync(this.path("mlruns/*/*/artifacts/console/attempt-1.log"));
    if (others.length > 0) throw new Error(`${others.length + 1} runs instead of one`);
    return log === undefined ? undefined : readFileSync(log);
  }

  /** Waits until the console log is just that. */
  async expectCaptured(text: string | Buffer): Promise<void> {
    const wanted = Buffer.from(text);
    await waitFor(() => this.captured()?.equals(wanted), { what: "the whole console log" }).catch((cause: unknown) => {
      throw new Error(`the console log has ${this.captured()?.length ?? "no"} bytes, not these ${wanted.length}`, {
        cause,
      });
    });
  }

  /** All runs, the newest first. */
  async runs(): Promise<readonly Run[]> {
    await using store = await openTrackingStore(this.trackingUri, { mode: "read" });
    const experiments = await store.searchExperiments({ viewType: "ALL" });
    return (await store.searchRuns({ experimentIds: experiments.items.map((one) => one.experimentId) })).items;
  }

  /** What is stored of the newest run. */
  async lastRun(): Promise<{
    readonly status: string;
    readonly tags: Readonly<Record<string, string>>;
    readonly run: Run;
  }> {
    const [run] = await this.runs();
    if (run === undefined) throw new Error("there is no run");
    return { status: run.info.status, tags: tagsOf(run), run };
  }

  /** The probe program. */
  probe(): string {
    return this.compiled("probe");
  }

  /** A C program of fixtures/programs, compiled once. */
  compiled(name: string): string {
    const binary = this.path(name);
    if (!existsSync(binary)) compile(binary, `${name}.c`);
    return binary;
  }

  /** Runs a program to its end; its stdout and stderr are Node's socket pairs. */
  async run(argv: readonly string[], options: SpawnOptions = {}): Promise<RunResult> {
    const [file = "", ...args] = argv;
    const stdio = ["ignore", "pipe", "pipe"] as const;
    const child = spawn(file, args, {
      stdio: [...stdio],
      cwd: this.folder,
      ...options,
      env: { ...this.env, ...options.env },
    });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout?.on("data", (chunk: Buffer) => out.push(chunk));
    child.stderr?.on("data", (chunk: Buffer) => err.push(chunk));
    return await new Promise((done, fail) => {
      child.on("error", fail);
      child.on("close", (exitCode, signal) => {
        done({ stdout: Buffer.concat(out), stderr: Buffer.concat(err).toString(), exitCode, signal });
      });
    });
  }

  /** Runs bash with `$track` set. Pipes inside the script are real ones. */
  async bash(script: string, env: NodeJS.ProcessEnv = {}): Promise<RunResult> {
    return await this.run(["bash", "-c", script], { env });
  }

  /** The same for a Python program. */
  async python(code: string, ...args: readonly string[]): Promise<RunResult> {
    return await this.run(["python3", "-c", code, ...args]);
  }

  /** Plays a script on a fresh terminal; fixtures/programs/pty-session.py knows the steps. */
  async onTerminal(steps: readonly object[], argv: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<PtyResult> {
    const session = join(programs, "pty-session.py");
    const result = await this.run(["python3", session, JSON.stringify(steps), ...argv], { env });
    if (result.exitCode !== 0) throw new Error(result.stderr);
    return JSON.parse(result.stdout.toString()) as PtyResult;
  }
}

function compile(binary: string, source: string, ...flags: readonly string[]): void {
  execFileSync("gcc", ["-O1", "-o", binary, ...flags, join(programs, source)]);
}
