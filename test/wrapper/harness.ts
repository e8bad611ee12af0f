import { execFileSync, spawn, type SpawnOptions } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const repository = resolve(import.meta.dirname, "../..");
export const programs = join(repository, "fixtures/programs");

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

/** A folder with bin/track and, as dist/main.js, the wrapper driver beside this file; and what tests do with it. */
export class WrapperBench {
  readonly folder = mkdtempSync(join(tmpdir(), "track-wrapper-"));
  readonly track = join(this.folder, "tree/bin/track");

  constructor() {
    const tree = join(this.folder, "tree");
    mkdirSync(join(tree, "bin"), { recursive: true });
    mkdirSync(join(tree, "dist"));
    cpSync(join(repository, "bin/track"), this.track);
    symlinkSync(join(repository, "node_modules"), join(tree, "node_modules"));
    writeFileSync(join(tree, "package.json"), '{"type":"module"}');
    const driver = join(repository, "test/wrapper/wrap-driver.ts");
    const output = ["--format", "esm", "--platform", "node", "-o", join(tree, "dist/main.js")];
    execFileSync(join(repository, "node_modules/.bin/rolldown"), [driver, ...output], { stdio: "ignore" });
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  read(name: string): string {
    return existsSync(this.path(name)) ? readFileSync(this.path(name), "utf8") : "";
  }

  remove(...names: readonly string[]): void {
    for (const name of names) rmSync(this.path(name), { force: true });
  }

  /** The probe program, compiled once. */
  probe(): string {
    const binary = this.path("probe");
    if (!existsSync(binary)) execFileSync("gcc", ["-o", binary, join(programs, "probe.c")]);
    return binary;
  }

  /** Runs a program to its end; its stdout and stderr are Node's socket pairs. */
  async run(
    argv: readonly string[],
    options: SpawnOptions & { readonly env?: NodeJS.ProcessEnv } = {},
  ): Promise<RunResult> {
    const [file = "", ...args] = argv;
    const child = spawn(file, args, { stdio: ["ignore", "pipe", "pipe"], ...options });
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
    return await this.run(["bash", "-c", script], {
      env: { ...process.env, track: this.track, P: programs, D: this.folder, ...env },
      cwd: this.folder,
    });
  }

  /** Plays a script on a fresh terminal; fixtures/programs/pty-session.py knows the steps. */
  async onTerminal(steps: readonly object[], argv: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<PtyResult> {
    const session = join(programs, "pty-session.py");
    const result = await this.run(["python3", session, JSON.stringify(steps), ...argv], {
      env: { ...process.env, track: this.track, P: programs, D: this.folder, ...env },
      cwd: this.folder,
    });
    if (result.exitCode !== 0) throw new Error(result.stderr);
    return JSON.parse(result.stdout.toString()) as PtyResult;
  }
}
