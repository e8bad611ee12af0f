import { trackTags } from "../entities/tag-keys.ts";
import { monotonicMs } from "../util/monotonic.ts";
import { readStartTicks } from "../util/proc.ts";
import type { Recording } from "./recording.ts";

const heartbeatMs = 30_000;
/** A run of a moment needs no tags that its end would remove again; until then its journal tells who is alive. */
const firstAfterMs = 1000;

/** The tags by which others see that the runs which a program has made are alive, and where. Their end takes them away. */
export class ProgramLife {
  readonly #recording: Recording;
  readonly #now: () => number;
  /** When each is to be said next (monotonic ms). */
  readonly #due = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(recording: Recording, now: () => number) {
    this.#recording = recording;
    this.#now = now;
  }

  start(): void {
    this.#timer ??= setInterval(() => this.#beat(), firstAfterMs).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #beat(): void {
    const { openRuns } = this.#recording;
    const running = new Set(openRuns.running);
    for (const runId of this.#due.keys()) if (!running.has(runId)) this.#due.delete(runId);
    const at = monotonicMs();
    for (const runId of running) {
      const due = this.#due.get(runId);
      if (due !== undefined && at < due) continue;
      this.#due.set(runId, at + (due === undefined ? firstAfterMs : heartbeatMs));
      if (due !== undefined && openRuns.isMade(runId)) this.#say(runId);
    }
  }

  #say(runId: string): void {
    const { header, live } = this.#recording;
    const recorder = { pid: process.pid, startTicks: readStartTicks(process.pid) ?? 0 };
    const processes = JSON.stringify({ ...header.place, recorder, wrapper: header.wrapper });
    live.writeRequest(runId, {
      tags: [
        { key: trackTags.process, value: processes },
        { key: trackTags.heartbeat, value: String(this.#now()) },
      ],
    });
  }
}

/** To be called right before such a run's final status is written. */
export function removeLifeTags({ openRuns, live }: Recording, runId: string): void {
  if (!openRuns.hasLifeTags(runId)) return;
  for (const key of [trackTags.process, trackTags.heartbeat]) live.write({ op: "delete-tag", runId, key });
}
