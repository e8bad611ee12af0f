import { existsSync } from "node:fs";
import type { LogSink } from "../entities/log-record.ts";
import { messageOf } from "../util/error-code.ts";
import { failOnPurpose } from "../util/test-fault.ts";
import { CgroupSource } from "./cgroup-source.ts";
import { CpuSource } from "./cpu-source.ts";
import { DiskSource } from "./disk-source.ts";
import type { GpuEnvironment } from "./gpu-environment.ts";
import { GpuSource } from "./gpu-source.ts";
import { GuardedSource } from "./guarded-source.ts";
import { MemorySource } from "./memory-source.ts";
import { type MetricSource, SourceMissing } from "./metric-source.ts";
import { MetricSummary, type SystemMetricsSummary } from "./metric-summary.ts";
import { NetworkSource } from "./network-source.ts";
import { ProcessTreeSource } from "./process-tree-source.ts";
import { SamplingSchedule } from "./sampling-schedule.ts";
import { monotonicMs } from "../util/monotonic.ts";

export interface SystemMetricsMonitorOptions {
  readonly sink: LogSink;
  /** The run that the records are for, and whose id the command's processes carry in TRACK_RUN_ID. */
  readonly runId?: string | undefined;
  /** Pid of the wrapped command, as soon as it is known. */
  readonly rootPid: () => number | undefined;
  /** Never counted, nor their children: the recorder. */
  readonly ownPids: readonly number[];
  /** Absent: 1 s in the first minute, then 10 s. */
  readonly intervalSeconds?: number | undefined;
  /** MLFLOW_SYSTEM_METRICS_NODE_ID: names are `system/<nodeId>/<key>`. */
  readonly nodeId?: string | undefined;
  /** Step of the first sample; each sample is one step. */
  readonly firstStep: number;
  readonly procRoot?: string;
  readonly sysRoot?: string;
  /** The command's environment, for PATH and the variables that hide GPUs. */
  readonly env: GpuEnvironment;
  readonly onNotice: (text: string) => void;
  /** Wall clock in ms, for the timestamps only. */
  readonly now: () => number;
  /** Clock for rates and waiting, in ms. */
  readonly monotonic?: () => number;
}

/** A command that ends before the first sample is looked at this long after the start, ms. */
const peeksMs = [5, 20, 60, 150, 400];
const longestGpuWaitMs = 500;

/**
 * Samples the machine, the command's processes, its cgroup and GPUs, with MLflow's names and units, and hands each sample to
 * the sink as one batch. Nothing throws out, nothing keeps the process alive, and samples never overlap: taking one is
 * synchronous.
 */
export class SystemMetricsMonitor {
  readonly #options: SystemMetricsMonitorOptions;
  readonly #monotonic: () => number;
  readonly #prefix: string;
  readonly #summary = new MetricSummary();
  #sources: GuardedSource[] = [];
  #tree: ProcessTreeSource | undefined;
  #gpu: GpuSource | undefined;
  #schedule: SamplingSchedule | undefined;
  #timer: NodeJS.Timeout | undefined;
  #peekTimer: NodeJS.Timeout | undefined;
  #startedAtMs = 0;
  #sampledAtMs = 0;
  #step: number;
  #stopped: Promise<void> | undefined;

  constructor(options: SystemMetricsMonitorOptions) {
    this.#options = options;
    this.#monotonic = options.monotonic ?? (() => monotonicMs());
    this.#prefix = options.nodeId ? `${options.nodeId}/` : "";
    this.#step = options.firstStep;
  }

  /** Takes the baselines and returns within 3 ms; nvidia-smi is started in a later turn. */
  start(): void {
    if (this.#schedule !== undefined || this.#stopped !== undefined) return;
    this.#startedAtMs = this.#monotonic();
    this.#sampledAtMs = this.#startedAtMs;
    const schedule = new SamplingSchedule(this.#startedAtMs, this.#options.intervalSeconds);
    this.#schedule = schedule;
    this.#guard(() => {
      this.#openSources(schedule.intervalMs(this.#startedAtMs));
      setImmediate(() => {
        if (this.#stopped === undefined) this.#guard(() => this.#gpu?.start());
      }).unref();
      this.#peekLater(0);
      this.#sampleLater(schedule);
    });
  }

  /** A bug of ours ends the sampling and nothing else. */
  #guard(action: () => void): void {
    try {
      action();
    } catch (error) {
      clearTimeout(this.#timer);
      clearTimeout(this.#peekTimer);
      this.#notice(`no longer sampled: system metrics (${messageOf(error)})`);
    }
  }

  /**
   * Takes a last sample, so that the shortest run has one, and ends everything. Waits only where nvidia-smi has never
   * answered: half a second, and never longer than the run has lasted.
   */
  stop(): Promise<void> {
    this.#stopped ??= this.#end();
    return this.#stopped;
  }

  /** Peaks and means so far for the tags `track.peak.<metric>` and `track.mean.<metric>`. */
  summary(): SystemMetricsSummary {
    return this.#summary.summarize(this.#prefix);
  }

  /** Highest resident memory of the command's tree, megabytes of 1e6 bytes; `undefined` when it was never seen. */
  get peakMemoryMegabytes(): number | undefined {
    return this.#summary.peak("process_memory_rss_megabytes");
  }

  /** Mean utilization in percent of each GPU sampled, by its index. */
  get gpuUtilization(): ReadonlyMap<number, number> {
    return this.#summary.gpuUtilization();
  }

  async #end(): Promise<void> {
    clearTimeout(this.#timer);
    clearTimeout(this.#peekTimer);
    if (this.#schedule === undefined) return;
    try {
      const elapsedMs = this.#monotonic() - this.#startedAtMs;
      await this.#gpu?.waitForAnswer(Math.min(elapsedMs, longestGpuWaitMs));
    } finally {
      this.#guard(() => this.#sample());
      for (const source of this.#sources) source.close();
    }
  }

  #openSources(intervalMs: number): void {
    const { procRoot = "/proc", sysRoot = "/sys", rootPid, ownPids, runId, env } = this.#options;
    const hasProc = existsSync(`${procRoot}/stat`);
    const proc = { procRoot, hasProc };
    const monotonic = this.#monotonic;
    const missing = new Map<string, string[]>();
    const open = <T extends MetricSource>(name: string, make: () => T): T | undefined => {
      try {
        const source = make();
        this.#sources.push(new GuardedSource(source, (text) => this.#notice(text)));
        return source;
      } catch (error) {
        const reason = messageOf(error);
        missing.set(reason, [...(missing.get(reason) ?? []), error instanceof SourceMissing ? error.source : name]);
        return undefined;
      }
    };
    open("cpu", () => new CpuSource(proc));
    open("memory", () => new MemorySource(proc));
    open("disk", () => new DiskSource());
    open("network", () => new NetworkSource(proc));
    const treeOptions = { ...proc, rootPid, ownPids, runId };
    this.#tree = open("process tree", () => new ProcessTreeSource(treeOptions, monotonic()));
    if (hasProc) open("cgroup", () => new CgroupSource({ procRoot, sysRoot, rootPid }));
    const isMember = (pid: number): boolean => this.#tree?.has(pid) ?? false;
    const onNotice = (text: string): void => this.#notice(text);
    const gpuOptions = { procRoot, sysRoot, env, intervalMs, isMember, onNotice, monotonic };
    this.#gpu = open("GPU", () => new GpuSource(gpuOptions));
    if (missing.size === 0) return;
    const parts = Array.from(missing, ([reason, names]) => `${names.join(", ")} (${reason})`);
    this.#notice(`not sampled: ${parts.join("; ")}`);
  }

  #sampleLater(schedule: SamplingSchedule): void {
    const delayMs = schedule.delayMs(this.#monotonic());
    this.#timer = setTimeout(() => this.#guard(() => this.#sampleNow(schedule)), delayMs);
    this.#timer.unref();
  }

  #sampleNow(schedule: SamplingSchedule): void {
    const before = process.threadCpuUsage();
    this.#sample();
    const cost = process.threadCpuUsage(before);
    schedule.addCost((cost.user + cost.system) / 1000);
    this.#gpu?.setInterval(schedule.intervalMs(this.#monotonic()));
    this.#sampleLater(schedule);
  }

  #peekLater(index: number): void {
    const atMs = peeksMs[index];
    if (atMs === undefined || this.#tree === undefined) return;
    const delayMs = Math.max(1, this.#startedAtMs + atMs - this.#monotonic());
    this.#peekTimer = setTimeout(() => {
      try {
        this.#tree?.peek(this.#monotonic());
      } catch {
        // Recording never hurts the training: the samples themselves tell when this source fails for good.
      }
      this.#peekLater(index + 1);
    }, delayMs);
    this.#peekTimer.unref();
  }

  #sample(): void {
    failOnPurpose("monitor");
    const monotonicMs = this.#monotonic();
    const values = this.#sources.flatMap((source) => source.sample(monotonicMs));
    this.#summary.add(values, (monotonicMs - this.#sampledAtMs) / 1000);
    this.#sampledAtMs = monotonicMs;
    if (values.length === 0) return;
    const { runId, now, sink } = this.#options;
    try {
      sink({
        type: "batch",
        ...(runId === undefined ? {} : { runId }),
        metrics: values.map(([key, value]) => [`system/${this.#prefix}${key}`, value] as const),
        step: this.#step,
        timestamp: now(),
      });
      this.#step += 1;
    } catch {
      // A sink must not throw; one that does loses this sample, and never the process it runs in.
    }
  }

  #notice(text: string): void {
    try {
      this.#options.onNotice(text);
    } catch {
      // As with the sink.
    }
  }
}
