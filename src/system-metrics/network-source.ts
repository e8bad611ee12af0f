import { megabytes, type MetricSource, type MetricValue, SourceMissing } from "./metric-source.ts";
import { ProcFile } from "./proc-file.ts";

interface Interface {
  receivedBytes: number;
  transmittedBytes: number;
}

/**
 * Traffic since construction over all interfaces, loopback too, as MLflow's difference of `psutil.net_io_counters()`; not
 * rounded, as MLflow's. A counter that starts over adds what it has counted since, as psutil's `nowrap`; an interface that
 * vanishes keeps its share, where psutil's sum falls. Not on macOS.
 */
export class NetworkSource implements MetricSource {
  readonly name = "network";
  readonly #file: ProcFile;
  #previous: ReadonlyMap<string, Interface>;
  #receivedBytes = 0;
  #transmittedBytes = 0;

  constructor(options: { readonly procRoot: string; readonly hasProc: boolean }) {
    if (!options.hasProc) throw new SourceMissing(this.name, "no /proc");
    this.#file = new ProcFile(`${options.procRoot}/net/dev`);
    this.#previous = parseNetDev(this.#file.read());
  }

  sample(): readonly MetricValue[] {
    const current = parseNetDev(this.#file.read());
    for (const [name, now] of current) {
      const before = this.#previous.get(name);
      this.#receivedBytes += increase(now.receivedBytes, before?.receivedBytes);
      this.#transmittedBytes += increase(now.transmittedBytes, before?.transmittedBytes);
    }
    this.#previous = current;
    return [
      ["network_receive_megabytes", megabytes(this.#receivedBytes)],
      ["network_transmit_megabytes", megabytes(this.#transmittedBytes)],
    ];
  }

  close(): void {
    this.#file.close();
  }
}

function increase(now: number, before = 0): number {
  return now >= before ? now - before : now;
}

/** Interfaces of /proc/net/dev; a name may hold a colon (an alias), so the last one ends it. */
export function parseNetDev(text: string): Map<string, Interface> {
  const interfaces = new Map<string, Interface>();
  for (const line of text.split("\n").slice(2)) {
    const colon = line.lastIndexOf(":");
    if (colon < 0) continue;
    const fields = line
      .slice(colon + 1)
      .split(" ")
      .filter(Boolean);
    interfaces.set(line.slice(0, colon).trim(), {
      receivedBytes: Number(fields[0]),
      transmittedBytes: Number(fields[8]),
    });
  }
  return interfaces;
}
