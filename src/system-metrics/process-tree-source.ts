import { megabytes, type MetricSource, type MetricValue, round1, SourceMissing } from "./metric-source.ts";
import { readKernelFile } from "./proc-file.ts";
import { type ProcessIo, type ProcessStat, readPageBytes, readProcessIo, ticksPerSecond } from "./process-stat.ts";
import { ProcessTree, type ProcessTreeOptions } from "./process-tree.ts";

interface Usage {
  readonly stat: ProcessStat;
  readonly io: ProcessIo | undefined;
}

interface Work {
  ticks: number;
  readBytes: number;
  writeBytes: number;
}

const nothing: Work = { ticks: 0, readBytes: 0, writeBytes: 0 };

interface State {
  readonly rssBytes: number;
  readonly count: number;
  readonly threads: number;
}

/** Rates over less than this say more about the clock's 10 ms ticks than about the processes. */
const shortestRateMs = 50;

/**
 * The command's whole tree: CPU in percent of one core (250 = two and a half), the sum of resident memory (pages that
 * processes share count once for each), processes and threads without zombies, and bytes read from and written to storage
 * since the beginning. CPU and bytes of ended processes are kept: what their parent waited for is added to the parent by
 * the kernel; only the last moments of those that no one in the tree waited for are lost. Not on macOS.
 */
export class ProcessTreeSource implements MetricSource {
  readonly name = "process tree";
  readonly #procRoot: string;
  readonly #tree: ProcessTree;
  readonly #pageBytes: number;
  /** Processes that are older than this (ticks since boot) worked before the run: that is not counted. */
  readonly #countedFromTicks: number;
  #previous = new Map<number, Usage>();
  readonly #total: Work = { ...nothing };
  #hasIo = false;
  #rate: { fromMs: number; ticks: number; percentage: number } | undefined;
  #quietMs: number;
  #lastAliveMs = 0;
  #unreported: State | undefined;

  constructor(options: ProcessTreeOptions & { readonly hasProc: boolean }, monotonicMs: number) {
    if (!options.hasProc) throw new SourceMissing(this.name, "no /proc");
    this.#procRoot = options.procRoot;
    this.#tree = new ProcessTree(options);
    this.#pageBytes = readPageBytes(options.procRoot);
    const uptimeSeconds = Number.parseFloat(readKernelFile(`${options.procRoot}/uptime`) ?? "0");
    this.#countedFromTicks = (uptimeSeconds - 5) * ticksPerSecond;
    this.#quietMs = monotonicMs;
  }

  has(pid: number): boolean {
    return this.#tree.has(pid);
  }

  /** Looks without reporting: what a command of a few milliseconds used is told by the next `sample`, when it is gone. */
  peek(monotonicMs: number): void {
    const state = this.#update(monotonicMs);
    if (state !== undefined && state.rssBytes >= (this.#unreported?.rssBytes ?? 0)) this.#unreported = state;
  }

  sample(monotonicMs: number): readonly MetricValue[] {
    const state = this.#update(monotonicMs) ?? this.#unreported;
    this.#unreported = undefined;
    if (state === undefined) return [];
    const values: MetricValue[] = [
      ["process_cpu_utilization_percentage", this.#cpuPercentage()],
      ["process_memory_rss_megabytes", round1(megabytes(state.rssBytes))],
      ["process_count", state.count],
      ["process_threads", state.threads],
    ];
    if (this.#hasIo) {
      values.push(["process_read_megabytes", megabytes(this.#total.readBytes)]);
      values.push(["process_write_megabytes", megabytes(this.#total.writeBytes)]);
    }
    return values;
  }

  /** Adds the work since the last look; the state of what lives now, `undefined` when nothing does. */
  #update(monotonicMs: number): State | undefined {
    const live = this.#tree.scan();
    const counted = this.#workCountedBefore(live);
    const current = new Map<number, Usage>();
    const state = { rssBytes: 0, count: 0, threads: 0 };
    for (const [pid, stat] of live) {
      const previous = this.#previous.get(pid);
      const usage = { stat, io: readProcessIo(this.#procRoot, pid) ?? previous?.io };
      current.set(pid, usage);
      this.#addWork(usage, previous ?? this.#baseline(usage), counted.get(pid) ?? nothing);
      if (stat.isZombie) continue;
      state.rssBytes += stat.rssPages * this.#pageBytes;
      state.count += 1;
      state.threads += stat.threads;
    }
    this.#previous = current;
    if (state.count === 0) {
      if (this.#rate === undefined) this.#quietMs = monotonicMs;
      return undefined;
    }
    this.#rate ??= { fromMs: this.#quietMs, ticks: 0, percentage: 0 };
    this.#lastAliveMs = monotonicMs;
    return state;
  }

  /** Per living process: the work of vanished descendants that was counted while they lived and is now in its own numbers. */
  #workCountedBefore(live: ReadonlyMap<number, ProcessStat>): Map<number, Work> {
    const counted = new Map<number, Work>();
    for (const [pid, usage] of this.#previous) {
      if (live.has(pid)) continue;
      const ancestor = this.#nearestLiving(usage.stat.parentPid, live);
      if (ancestor === undefined) continue;
      const work = counted.get(ancestor) ?? { ...nothing };
      work.ticks += usage.stat.ownTicks + usage.stat.childTicks;
      work.readBytes += usage.io?.readBytes ?? 0;
      work.writeBytes += usage.io?.writeBytes ?? 0;
      counted.set(ancestor, work);
    }
    return counted;
  }

  #nearestLiving(pid: number, live: ReadonlyMap<number, ProcessStat>): number | undefined {
    let ancestor: number | undefined = pid;
    for (let steps = 0; ancestor !== undefined && steps <= this.#previous.size; steps += 1) {
      if (live.has(ancestor)) return ancestor;
      ancestor = this.#previous.get(ancestor)?.stat.parentPid;
    }
    return undefined;
  }

  #addWork(now: Usage, before: Usage | undefined, counted: Work): void {
    this.#total.ticks += Math.max(0, now.stat.ownTicks - (before?.stat.ownTicks ?? 0));
    this.#total.ticks += Math.max(0, now.stat.childTicks - (before?.stat.childTicks ?? 0) - counted.ticks);
    if (now.io === undefined) return;
    this.#hasIo = true;
    const { readBytes, writeBytes } = before?.io ?? nothing;
    this.#total.readBytes += Math.max(0, now.io.readBytes - readBytes - counted.readBytes);
    this.#total.writeBytes += Math.max(0, now.io.writeBytes - writeBytes - counted.writeBytes);
  }

  #baseline(usage: Usage): Usage | undefined {
    return usage.stat.startTicks < this.#countedFromTicks ? usage : undefined;
  }

  #cpuPercentage(): number {
    const rate = this.#rate;
    if (rate === undefined) return 0;
    const elapsedMs = this.#lastAliveMs - rate.fromMs;
    if (elapsedMs >= shortestRateMs || rate.ticks === 0) {
      const seconds = Math.max(elapsedMs, 1) / 1000;
      rate.percentage = round1(((this.#total.ticks - rate.ticks) / ticksPerSecond / seconds) * 100);
      rate.ticks = this.#total.ticks;
      rate.fromMs = this.#lastAliveMs;
    }
    return rate.percentage;
  }
}
