import { SystemMetricsMonitor } from "../system-metrics/system-metrics-monitor.ts";
import type { SamplingMessage } from "../wire/control-messages.ts";
import type { Recording } from "./recording.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** The runs of a program that are sampled, each as long as the program says. */
export class ProgramSampling {
  readonly #recording: Recording;
  readonly #env: Environment;
  readonly #monitors = new Map<string, SystemMetricsMonitor>();

  constructor(recording: Recording, env: Environment) {
    this.#recording = recording;
    this.#env = env;
  }

  set({ runId, isOn, firstStep }: SamplingMessage): void {
    if (!isOn) void this.#monitors.get(runId)?.stop();
    else if (!this.#monitors.has(runId)) {
      const monitor = this.#createMonitor(runId, firstStep);
      this.#monitors.set(runId, monitor);
      monitor.start();
    }
  }

  /** Resolves once the last samples are taken. */
  async stop(): Promise<void> {
    await Promise.all(Array.from(this.#monitors.values(), (monitor) => monitor.stop()));
  }

  #createMonitor(runId: string, firstStep: number): SystemMetricsMonitor {
    const { live, header, earlier } = this.#recording;
    return new SystemMetricsMonitor({
      sink: (record) => {
        if (record.type === "batch") live.log({ ...record, runId });
        live.commit();
      },
      runId,
      rootPid: () => header.wrapper.pid,
      ownPids: [process.pid],
      intervalSeconds: header.sampling.intervalSeconds,
      nodeId: header.sampling.nodeId,
      // A recorder that died has taken samples of its own.
      firstStep: Math.max(firstStep, earlier.nextSystemStep),
      env: this.#env,
      onNotice: (text) => this.#recording.notice(`system metrics: ${text}`, text),
      now: Date.now,
    });
  }
}
