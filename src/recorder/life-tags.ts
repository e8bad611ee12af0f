import { trackTags } from "../entities/tag-keys.ts";
import { readStartTicks } from "../util/proc.ts";
import type { ProcessIdentity } from "../wire/journal-header.ts";
import type { Recording } from "./recording.ts";

const heartbeatMs = 30_000;
const processTagAfterMs = 1000;

/** The tags by which others see that a run is alive, and where; its end takes them away. */
export class LifeTags {
  readonly #recording: Recording;
  readonly #now: () => number;
  #heartbeat: NodeJS.Timeout | undefined;
  #processTimer: NodeJS.Timeout | undefined;

  constructor(recording: Recording, now: () => number) {
    this.#recording = recording;
    this.#now = now;
  }

  startBeating(): void {
    this.#heartbeat = setInterval(() => this.#beat(), heartbeatMs).unref();
  }

  /** A run of a moment needs no tag that its end would remove again; until then its journal tells who is alive. */
  nameProcesses(command: ProcessIdentity): void {
    this.#processTimer = setTimeout(() => this.#writeProcesses(command), processTagAfterMs).unref();
  }

  stop(): void {
    clearInterval(this.#heartbeat);
    clearTimeout(this.#processTimer);
  }

  /** To be called right before the final status is written. */
  remove(): void {
    const { live, header } = this.#recording;
    for (const key of [trackTags.process, trackTags.heartbeat]) {
      if (live.tags.has(key)) live.write({ op: "delete-tag", runId: header.runId, key });
    }
  }

  #writeProcesses(command: ProcessIdentity): void {
    const { place, wrapper } = this.#recording.header;
    const recorder = { pid: process.pid, startTicks: readStartTicks(process.pid) ?? 0 };
    this.#recording.logTags([
      { key: trackTags.process, value: JSON.stringify({ ...place, recorder, wrapper, command }) },
      { key: trackTags.heartbeat, value: String(this.#now()) },
    ]);
  }

  #beat(): void {
    this.#recording.logTags([{ key: trackTags.heartbeat, value: String(this.#now()) }]);
  }
}
