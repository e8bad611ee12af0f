import { readLink } from "../util/proc.ts";
import { AmdSource, findAmdCards } from "./amd-source.ts";
import { findNvidiaSmi, type GpuEnvironment } from "./gpu-environment.ts";
import { type MetricSource, type MetricValue, SourceMissing } from "./metric-source.ts";
import { NvidiaSource } from "./nvidia-source.ts";
import { parseVisibleDevices } from "./visible-devices.ts";

export interface GpuSourceOptions {
  readonly procRoot: string;
  readonly sysRoot: string;
  readonly env: GpuEnvironment;
  readonly intervalMs: number;
  readonly isMember: (pid: number) => boolean;
  readonly onNotice: (text: string) => void;
  readonly monotonic: () => number;
}

/** The inode that the kernel gives the first pid namespace, the only one in which nvidia-smi's pids are surely ours. */
const initialPidNamespace = "pid:[4026531836]";

/**
 * NVIDIA by nvidia-smi, and AMD by sysfs only where that is missing or fails, as MLflow does. Nothing, and no notice, where
 * the environment hides all GPUs from the command.
 */
export class GpuSource implements MetricSource {
  readonly name = "GPU";
  readonly #options: GpuSourceOptions;
  #nvidia: NvidiaSource | undefined;
  #amd: AmdSource | undefined;
  #hasAnswered = false;
  #onAnswer: (() => void) | undefined;

  constructor(options: GpuSourceOptions) {
    this.#options = options;
    if (parseVisibleDevices(options.env).kind === "none") return;
    const executable = findNvidiaSmi(options.env);
    if (executable !== undefined) this.#nvidia = this.#makeNvidia(executable);
    else if (!this.#useAmd()) throw new SourceMissing(this.name, "no nvidia-smi, no AMD device");
  }

  /** Starts nvidia-smi: some milliseconds. */
  start(): void {
    this.#nvidia?.start();
  }

  setInterval(intervalMs: number): void {
    this.#nvidia?.setInterval(intervalMs);
  }

  sample(monotonicMs: number): readonly MetricValue[] {
    return this.#nvidia?.sample(monotonicMs) ?? this.#amd?.sample() ?? [];
  }

  /** Resolves at nvidia-smi's first answer, good or bad; at once when none is due; after `timeoutMs` at most. */
  async waitForAnswer(timeoutMs: number): Promise<void> {
    if (this.#nvidia === undefined || this.#hasAnswered) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#onAnswer = () => {
        clearTimeout(timer);
        // One turn more, for the lines of the other GPUs in the same piece of output.
        setImmediate(resolve);
      };
    });
  }

  close(): void {
    this.#nvidia?.close();
  }

  #makeNvidia(executable: string): NvidiaSource {
    const { procRoot, env, intervalMs, isMember, monotonic } = this.#options;
    const seesOurPids = readLink(`${procRoot}/self/ns/pid`) === initialPidNamespace;
    return new NvidiaSource({
      executable,
      env,
      intervalMs,
      isMember: seesOurPids ? isMember : undefined,
      onReading: () => this.#answer(),
      onGone: (reason) => this.#loseNvidia(reason),
      monotonic,
    });
  }

  #loseNvidia(reason: string): void {
    this.#nvidia?.close();
    this.#nvidia = undefined;
    const since = this.#hasAnswered ? "no longer sampled" : "not sampled";
    if (!this.#useAmd()) this.#options.onNotice(`${since}: GPU (nvidia-smi: ${reason})`);
    this.#answer();
  }

  #useAmd(): boolean {
    try {
      const cards = findAmdCards(this.#options.sysRoot);
      if (cards.length > 0) this.#amd = new AmdSource(cards);
      return cards.length > 0;
    } catch {
      // Called when nvidia-smi ends, where nothing stands guard: recording never hurts the training.
      return false;
    }
  }

  #answer(): void {
    this.#hasAnswered = true;
    this.#onAnswer?.();
  }
}
