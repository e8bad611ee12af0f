import type { ChildProcess } from "node:child_process";

export interface NvidiaSmiStreamOptions {
  readonly executable: string;
  /** Without `--loop-ms`. */
  readonly arguments: readonly string[];
  readonly loopMs: number;
  /** Whole lines only; true when the line was of use. */
  readonly onLine: (line: string) => boolean;
  /** It will not come back: after `maxRestarts`, or at once when it never said anything of use. */
  readonly onGone: (reason: string) => void;
  readonly restartDelayMs?: number;
}

const maxRestarts = 3;
const longestLine = 10_000;

/**
 * One long-lived `nvidia-smi --loop-ms`, because a start of nvidia-smi per sample costs the machine more than the sampling.
 * It never keeps this process alive, and dies with it: of SIGPIPE, at its next line. Nothing throws.
 */
export class NvidiaSmiStream {
  readonly #options: NvidiaSmiStreamOptions;
  #loopMs: number;
  #child: ChildProcess | undefined;
  #timer: NodeJS.Timeout | undefined;
  #restarts = 0;
  #wasOfUse = false;
  #isOver = false;
  #rest = "";
  #lastText = "";

  constructor(options: NvidiaSmiStreamOptions) {
    this.#options = options;
    this.#loopMs = options.loopMs;
  }

  start(): void {
    void this.#spawn();
  }

  /** Goes on with another interval: nvidia-smi has to be started anew for that. */
  changeInterval(loopMs: number): void {
    if (loopMs === this.#loopMs || this.#isOver) return;
    this.#loopMs = loopMs;
    // Not started yet, or between two starts: the next one has the new interval.
    if (this.#child === undefined) return;
    this.#dropChild();
    void this.#spawn();
  }

  stop(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#dropChild();
  }

  async #spawn(): Promise<void> {
    try {
      const { spawn } = await import("node:child_process");
      if (this.#isOver || this.#child !== undefined) return;
      const child = spawn(this.#options.executable, [...this.#options.arguments, `--loop-ms=${this.#loopMs}`], {
        stdio: ["ignore", "pipe", "ignore"],
      });
      this.#child = child;
      this.#rest = "";
      child.unref();
      child.on("error", (error) => this.#onEnd(child, error.message));
      child.on("close", (code, signal) => {
        this.#onEnd(child, this.#lastText || this.#rest.trim() || `ended with ${signal ?? code}`);
      });
      child.stdout.setEncoding("latin1");
      child.stdout.on("data", (text: string) => this.#onText(child, text));
      child.stdout.on("error", () => {});
      if ("unref" in child.stdout && typeof child.stdout.unref === "function") child.stdout.unref();
    } catch (error) {
      this.#child = undefined;
      this.#giveUp(error instanceof Error ? error.message : String(error));
    }
  }

  #onText(child: ChildProcess, text: string): void {
    if (child !== this.#child) return;
    const lines = (this.#rest + text).split("\n");
    this.#rest = (lines.pop() ?? "").slice(0, longestLine);
    for (const line of lines) {
      if (line.trim() === "") continue;
      if (this.#options.onLine(line)) this.#wasOfUse = true;
      else this.#lastText = line.trim().slice(0, 200);
    }
  }

  #onEnd(child: ChildProcess, reason: string): void {
    if (child !== this.#child) return;
    this.#child = undefined;
    if (this.#isOver) return;
    if (!this.#wasOfUse || this.#restarts >= maxRestarts) {
      this.#giveUp(reason);
      return;
    }
    this.#restarts += 1;
    this.#lastText = "";
    const delayMs = (this.#options.restartDelayMs ?? 1000) * 5 ** (this.#restarts - 1);
    this.#timer = setTimeout(() => void this.#spawn(), delayMs);
    this.#timer.unref();
  }

  #giveUp(reason: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#options.onGone(reason);
  }

  #dropChild(): void {
    const child = this.#child;
    this.#child = undefined;
    // It only reads, and one that hangs in a broken driver would not heed a gentler signal.
    child?.kill("SIGKILL");
  }
}
