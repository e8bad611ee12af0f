import { cpus } from "node:os";
import { type MetricSource, type MetricValue, percentOf } from "./metric-source.ts";
import { ProcFile } from "./proc-file.ts";

interface CpuTimes {
  readonly total: number;
  readonly busy: number;
}

/**
 * The machine's CPU as `psutil.cpu_percent()`: busy / total since the previous call, all CPUs averaged; idle and iowait are
 * not busy, guest time is in user time already. It stays the machine's where a cgroup quota limits the job, to be equal to
 * MLflow's; the job's own share of its quota is process_cpu_utilization_percentage / cgroup_cpu_limit_cores.
 */
export class CpuSource implements MetricSource {
  readonly name = "cpu";
  readonly #stat: ProcFile | undefined;
  #previous: CpuTimes;
  #last = 0;

  constructor(options: { readonly procRoot: string; readonly hasProc: boolean }) {
    this.#stat = options.hasProc ? new ProcFile(`${options.procRoot}/stat`) : undefined;
    this.#previous = this.#read();
  }

  sample(): readonly MetricValue[] {
    const current = this.#read();
    const total = current.total - this.#previous.total;
    // Times have steps of 10 ms: two samples at nearly the same moment would show 0 or 100.
    if (total >= 2) {
      this.#last = percentOf(Math.max(0, current.busy - this.#previous.busy), total);
      this.#previous = current;
    }
    return [["cpu_utilization_percentage", this.#last]];
  }

  close(): void {
    this.#stat?.close();
  }

  #read(): CpuTimes {
    return this.#stat === undefined ? readOsTimes() : parseCpuTimes(this.#stat.read());
  }
}

/** The first line of /proc/stat: user nice system idle iowait irq softirq steal guest guest_nice, in clock ticks. */
export function parseCpuTimes(stat: string): CpuTimes {
  const end = stat.indexOf("\n");
  const fields = stat
    .slice(0, end < 0 ? undefined : end)
    .split(" ")
    .filter(Boolean);
  if (fields[0] !== "cpu") throw new Error("/proc/stat has no cpu line");
  const times = fields.slice(1, 9).map(Number);
  const total = times.reduce((sum, ticks) => sum + ticks, 0);
  return { total, busy: total - (times[3] ?? 0) - (times[4] ?? 0) };
}

/** macOS, without /proc: no iowait and no steal there, so the same formula. */
function readOsTimes(): CpuTimes {
  let total = 0;
  let idle = 0;
  for (const { times } of cpus()) {
    total += times.user + times.nice + times.sys + times.irq + times.idle;
    idle += times.idle;
  }
  return { total, busy: total - idle };
}
