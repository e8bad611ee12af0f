import { freemem, totalmem } from "node:os";
import { megabytes, type MetricSource, type MetricValue, percentOf, round1 } from "./metric-source.ts";
import { ProcFile } from "./proc-file.ts";

interface MemoryBytes {
  readonly total: number;
  readonly available: number;
}

/** The machine's memory as `psutil.virtual_memory()` of psutil 7.2: used = MemTotal - MemAvailable. */
export class MemorySource implements MetricSource {
  readonly name = "memory";
  readonly #meminfo: ProcFile | undefined;

  constructor(options: { readonly procRoot: string; readonly hasProc: boolean }) {
    this.#meminfo = options.hasProc ? new ProcFile(`${options.procRoot}/meminfo`) : undefined;
  }

  sample(): readonly MetricValue[] {
    // macOS: os.freemem leaves out inactive pages, so more counts as used than psutil says (active + wired).
    const memory =
      this.#meminfo === undefined ? { total: totalmem(), available: freemem() } : parseMeminfo(this.#meminfo.read());
    const used = memory.total - memory.available;
    return [
      ["system_memory_usage_megabytes", round1(megabytes(used))],
      ["system_memory_usage_percentage", percentOf(used, memory.total)],
    ];
  }

  close(): void {
    this.#meminfo?.close();
  }
}

/** Total and available bytes. Kernels before 3.14 have no MemAvailable: free + buffers + cached stands in for it. */
export function parseMeminfo(meminfo: string): MemoryBytes {
  const bytes = (key: string): number | undefined => {
    const start = meminfo.startsWith(`${key}:`) ? 0 : meminfo.indexOf(`\n${key}:`) + 1;
    if (start === 0 && !meminfo.startsWith(`${key}:`)) return undefined;
    return Number.parseInt(meminfo.slice(start + key.length + 1, start + key.length + 40), 10) * 1024;
  };
  const total = bytes("MemTotal");
  const free = bytes("MemFree");
  if (total === undefined || free === undefined) throw new Error("/proc/meminfo has no MemTotal or MemFree");
  const available = bytes("MemAvailable") ?? free + (bytes("Buffers") ?? 0) + (bytes("Cached") ?? 0);
  // As psutil: in some containers MemAvailable is the host's and larger than the container's total.
  return { total, available: available > total ? free : available };
}
