import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { bin, type Started, type StartOptions, TrackRig } from "../e2e/rig.ts";

/** The `track` that is measured; another build of it by TRACK_BENCH_BIN. */
export const track = process.env["TRACK_BENCH_BIN"] ?? bin;

const sources = join(import.meta.dirname, "programs");

/** The small C programs that measure, compiled once for all benches. */
export class Tools implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), "bench-tools-"));

  static compile(): Tools {
    const tools = new Tools();
    for (const file of readdirSync(sources)) if (file.endsWith(".c")) tools.#compile(file);
    return tools;
  }

  path(name: "stopwatch" | "stamp" | "flood" | "stream"): string {
    return join(this.#folder, name);
  }

  /** Linked statically where that is possible: a dynamic linker's work is no part of what is measured. */
  #compile(file: string): void {
    const common = ["-O2", "-o", join(this.#folder, file.slice(0, -2)), join(sources, file)];
    if (spawnSync("cc", ["-static", ...common]).status === 0) return;
    const { status, stderr, error } = spawnSync("cc", common, { encoding: "utf8" });
    if (status !== 0) throw new Error(`cannot compile ${file}: ${error?.message ?? stderr}`);
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** What the stopwatch says about one command. */
export interface Timing {
  /** CLOCK_MONOTONIC, shortly before the fork. */
  readonly startedNs: number;
  /** Until the command ended. */
  readonly wholeMs: number;
  /** Until everything that it left behind had ended as well. */
  readonly goneMs: number;
  readonly exitCode: number;
  /** Of the command and what it waited for. */
  readonly cpuMs: number;
  readonly maxRssKilobytes: number;
  /** Of the processes that outlived it. */
  readonly othersCpuMs: number;
  readonly othersMaxRssKilobytes: number;
}

export interface MeasureOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Where its output goes; a path is appended to. */
  readonly stdout?: "null" | "pipe" | "terminal" | (string & {});
  readonly exitCode?: number;
}

const hangMs = 120_000;

/** A home and a working folder of their own, and the stopwatch in them. */
export class BenchRig implements AsyncDisposable {
  readonly tools: Tools;
  readonly #rig = TrackRig.setup();

  constructor(tools: Tools) {
    this.tools = tools;
  }

  get root(): string {
    return this.#rig.root;
  }

  get cwd(): string {
    return this.#rig.cwd;
  }

  get database(): string {
    return join(this.cwd, "mlflow.db");
  }

  get env(): Readonly<Record<string, string>> {
    return { ...this.#rig.env, PATH: `${dirname(track)}${delimiter}${this.#rig.env["PATH"]}` };
  }

  /** An empty folder. */
  newFolder(): string {
    return mkdtempSync(join(this.root, "folder-"));
  }

  /** Starts `track` and leaves it running; it is gone at the latest with the rig. */
  start(args: readonly string[], options: StartOptions = {}): Started {
    return this.#rig.spawn(track, args, { ...options, env: { ...this.env, ...options.env } });
  }

  /** Runs any program to its end and returns what it printed; throws when it fails. */
  run(program: string, args: readonly string[], options: MeasureOptions = {}): string {
    const { status, stdout, stderr, error } = spawnSync(program, args, {
      cwd: options.cwd ?? this.cwd,
      env: { ...this.env, ...options.env },
      encoding: "utf8",
      timeout: hangMs,
    });
    if (status === (options.exitCode ?? 0)) return stdout;
    throw new Error(`${program} ${args.join(" ")}: ${error?.message ?? `exit ${status}: ${stderr}`}`);
  }

  /** Runs one command under the stopwatch, with no input. Throws when it does not end as expected. */
  measure(command: readonly string[], options: MeasureOptions = {}): Timing {
    const result = join(this.root, "timing.json");
    rmSync(result, { force: true });
    this.run(this.tools.path("stopwatch"), [result, options.stdout ?? "null", ...command], { ...options, exitCode: 0 });
    const timing = JSON.parse(readFileSync(result, "utf8")) as Timing;
    if (timing.exitCode === (options.exitCode ?? 0)) return timing;
    throw new Error(`${command.join(" ")}: exit ${timing.exitCode}`);
  }

  /** `node -e 0` with the Node that `track` runs on here. */
  measureNode(): Timing {
    return this.measure([process.execPath, "-e", "0"]);
  }

  /** What a program left in a file of the rig. */
  readJson(name: string): unknown {
    return JSON.parse(readFileSync(join(this.root, name), "utf8"));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#rig[Symbol.asyncDispose]();
  }
}

/**
 * Runs all cases once a round, each round beginning with another one, so that what else the machine does hits all alike.
 * The first round warms up and is dropped.
 */
export function interleave<Name extends string, Result>(
  rounds: number,
  cases: Readonly<Record<Name, () => Result>>,
): Record<Name, Result[]> {
  const names = Object.keys(cases) as Name[];
  const results = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<Name, Result[]>;
  for (let round = 0; round <= rounds; round += 1) {
    for (let index = 0; index < names.length; index += 1) {
      const name = names[(index + round) % names.length] as Name;
      const result = cases[name]();
      if (round > 0) results[name].push(result);
    }
  }
  return results;
}
