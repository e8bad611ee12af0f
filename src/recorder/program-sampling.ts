import { StoreError } from "../errors.ts";
import { SystemMetricsMonitor } from "../system-metrics/system-metrics-monitor.ts";
import { isProcessAlive, readStartTicks } from "../util/proc.ts";
import type { ProcessIdentity } from "../wire/journal-header.ts";
import type { SamplingRequest } from "../wire/sampling-request.ts";
import type { Recording } from "./recording.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** The runs that programs have sampled for themselves, each as long as its program says and lives. */
export class ProgramSampling {
  readonly #recording: Recording;
  readonly #env: Environment;
  readonly #monitors = new Map<string, SystemMetricsMonitor>();
  readonly #stopping = new Set<Promise<void>>();

  constructor(recording: Recording, env: Environment) {
    this.#recording = recording;
    this.#env = env;
  }

  /** Throws `INVALID_STATE` for the wrapper's own run where the user has turned sampling off; where it is on, nothing is to be done. */
  set({ runId, isOn, pid, firstStep }: SamplingRequest): void {
    if (runId === undefined || this.#isWrappers(runId)) {
      if (isOn) this.#refuseIfOff();
      return;
    }
    if (!isOn) this.#stop(runId);
    else if (!this.#monitors.has(runId)) {
      const monitor = this.#createMonitor(runId, { pid, startTicks: readStartTicks(pid) ?? 0 }, firstStep);
      this.#monitors.set(runId, monitor);
      monitor.start();
    }
  }

  /** Resolves once the last samples are taken. */
  async stop(): Promise<void> {
    for (const runId of this.#monitors.keys()) this.#stop(runId);
    await Promise.all(this.#stopping);
  }

  #isWrappers(runId: string): boolean {
    return this.#recording.header.kind !== "program" && this.#recording.live.isOwn(runId);
  }

  #refuseIfOff(): void {
    if (this.#recording.header.sampling.enabled) return;
    throw new StoreError("INVALID_STATE", "the run of this command is not sampled: track was told --no-system-metrics");
  }

  /** A run may be resumed, and is sampled again then. */
  #stop(runId: string): void {
    const stopped = this.#monitors.get(runId)?.stop();
    this.#monitors.delete(runId);
    if (stopped === undefined) return;
    this.#stopping.add(stopped);
    void stopped.then(() => this.#stopping.delete(stopped));
  }

  #createMonitor(runId: string, program: ProcessIdentity, firstStep: number): SystemMetricsMonitor {
    const { live, header, earlier } = this.#recording;
    return new SystemMetricsMonitor({
      sink: (record) => {
        if (!isProcessAlive(program)) return this.#stop(runId);
        if (record.type === "batch") live.log({ ...record, runId });
        live.commit();
      },
      runId,
      rootPid: () => program.pid,
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
