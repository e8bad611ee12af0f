import type { GpuEnvironment } from "./gpu-environment.ts";
import { megabytes, type MetricSource, type MetricValue, percentOf, round1 } from "./metric-source.ts";
import {
  appsQueryArguments,
  gpuQueryArguments,
  type NvidiaReading,
  parseAppLine,
  parseGpuLine,
} from "./nvidia-smi-csv.ts";
import { NvidiaSmiStream } from "./nvidia-smi-stream.ts";
import { needsMigParents, parseMigParents, parseVisibleDevices, resolveVisibleDevices } from "./visible-devices.ts";

export interface NvidiaSourceOptions {
  readonly executable: string;
  readonly env: GpuEnvironment;
  readonly intervalMs: number;
  /** Whether a pid of nvidia-smi's list is the command's; `undefined` where its pids are not ours (a container). */
  readonly isMember: ((pid: number) => boolean) | undefined;
  readonly onReading: () => void;
  readonly onGone: (reason: string) => void;
  readonly monotonic: () => number;
  readonly restartDelayMs?: number;
  /** When the process list is first asked: a framework takes seconds until it holds a GPU. */
  readonly appsDelayMs?: number;
}

interface Timed {
  readonly reading: NvidiaReading;
  readonly atMs: number;
}

const appsLoopMs = 60_000;
/** Asking more often than this costs the driver more than it tells. */
const shortestLoopMs = 500;

/**
 * NVIDIA GPUs under nvidia-smi's own physical indices: those that the command's environment shows; where it does not say,
 * those on which nvidia-smi has seen the command's processes; before it has seen any, all. What a script sets for its own
 * children (CUDA_VISIBLE_DEVICES inside train.sh) is seen only by the process list. MIG: the whole GPU's numbers. Memory
 * in use is without what the driver reserves, which MLflow's NVML call counts.
 */
export class NvidiaSource implements MetricSource {
  readonly name = "GPU";
  readonly #options: NvidiaSourceOptions;
  readonly #visible;
  readonly #gpus: NvidiaSmiStream;
  readonly #latest = new Map<number, Timed>();
  readonly #used = new Set<string>();
  readonly #startedAtMs: number;
  #apps: NvidiaSmiStream | undefined;
  #migParents: ReadonlyMap<string, string> = new Map();
  #intervalMs: number;

  constructor(options: NvidiaSourceOptions) {
    this.#options = options;
    this.#intervalMs = options.intervalMs;
    this.#startedAtMs = options.monotonic();
    this.#visible = parseVisibleDevices(options.env);
    this.#gpus = new NvidiaSmiStream({
      executable: options.executable,
      arguments: gpuQueryArguments(),
      loopMs: loopMs(options.intervalMs),
      onLine: (line) => this.#onGpuLine(line),
      onGone: options.onGone,
      ...(options.restartDelayMs === undefined ? {} : { restartDelayMs: options.restartDelayMs }),
    });
  }

  start(): void {
    this.#gpus.start();
    if (needsMigParents(this.#visible)) void this.#readMigParents();
  }

  setInterval(intervalMs: number): void {
    this.#intervalMs = intervalMs;
    this.#gpus.changeInterval(loopMs(intervalMs));
  }

  /** Nothing as long as nvidia-smi has not answered; its latest answer, as long as it is not too old. */
  sample(monotonicMs: number): readonly MetricValue[] {
    const oldestMs = monotonicMs - 2 * this.#intervalMs - 5000;
    const readings = Array.from(this.#latest.values(), (timed) => timed.reading);
    const visible = resolveVisibleDevices(this.#visible, readings, this.#migParents);
    if (visible === undefined && readings.length > 1) this.#startApps(monotonicMs);
    const counted = visible ?? (this.#used.size > 0 ? this.#used : undefined);
    const values: MetricValue[] = [];
    for (const { reading, atMs } of this.#latest.values()) {
      if (atMs >= oldestMs && (counted === undefined || counted.has(reading.uuid))) values.push(...toValues(reading));
    }
    return values;
  }

  close(): void {
    this.#gpus.stop();
    this.#apps?.stop();
  }

  #onGpuLine(line: string): boolean {
    const reading = parseGpuLine(line);
    if (reading === undefined) return false;
    this.#latest.set(reading.index, { reading, atMs: this.#options.monotonic() });
    this.#options.onReading();
    return true;
  }

  #startApps(monotonicMs: number): void {
    const { isMember, executable, appsDelayMs = 10_000 } = this.#options;
    if (this.#apps !== undefined || isMember === undefined || monotonicMs < this.#startedAtMs + appsDelayMs) return;
    this.#apps = new NvidiaSmiStream({
      executable,
      arguments: appsQueryArguments(),
      loopMs: appsLoopMs,
      onLine: (line) => {
        const app = parseAppLine(line);
        if (app !== undefined && isMember(app.pid) && this.#isKnown(app.uuid)) this.#used.add(app.uuid);
        return app !== undefined;
      },
      // Without the list all GPUs stay in: nothing to tell.
      onGone: () => {},
    });
    this.#apps.start();
  }

  #isKnown(uuid: string): boolean {
    return this.#latest.values().some((timed) => timed.reading.uuid === uuid);
  }

  async #readMigParents(): Promise<void> {
    try {
      const { runNvidiaSmi } = await import("./gpu-inventory.ts");
      this.#migParents = parseMigParents(await runNvidiaSmi(this.#options.executable, ["-L"], 10_000));
    } catch {
      // Without the list it is not known which GPU a MIG device is part of, and all stay in.
    }
  }
}

function loopMs(intervalMs: number): number {
  return Math.max(shortestLoopMs, Math.round(intervalMs));
}

function toValues(reading: NvidiaReading): readonly MetricValue[] {
  const { index, utilizationPercentage, memoryUsedBytes, memoryTotalBytes, powerWatts, powerLimitWatts } = reading;
  const values: MetricValue[] = [];
  if (memoryUsedBytes !== undefined) {
    values.push([`gpu_${index}_memory_usage_megabytes`, round1(megabytes(memoryUsedBytes))]);
    if (memoryTotalBytes !== undefined) {
      values.push([`gpu_${index}_memory_usage_percentage`, percentOf(memoryUsedBytes, memoryTotalBytes)]);
    }
  }
  if (utilizationPercentage !== undefined) values.push([`gpu_${index}_utilization_percentage`, utilizationPercentage]);
  if (powerWatts !== undefined) {
    values.push([`gpu_${index}_power_usage_watts`, round1(powerWatts)]);
    if (powerLimitWatts !== undefined) {
      values.push([`gpu_${index}_power_usage_percentage`, percentOf(powerWatts, powerLimitWatts)]);
    }
  }
  return values;
}
