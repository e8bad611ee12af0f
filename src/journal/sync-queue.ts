import { TrackError } from "../errors.ts";

/** What can be synced and closed: a segment. */
export interface Syncable {
  sync(): Promise<void>;
  close(): Promise<void>;
}

/**
 * fdatasync, one at a time; calls that come while one runs share the next. A segment that is retired is synced and
 * closed in its turn, so that `sync` of its successor vouches for both. After a failure every later `sync` rejects with it:
 * the kernel reports a lost page once and forgets it. Nobody waits longer than `timeoutMs` for a disk that hangs.
 */
export class SyncQueue {
  readonly #timeoutMs: number;
  #tail: Promise<void> = Promise.resolve();
  #waiting: { readonly segment: Syncable; readonly done: Promise<void> } | undefined;
  #failure: Error | undefined;
  #isHung = false;

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  /** What was written to the segment, and to those retired before, is on the disk. */
  sync(segment: Syncable): Promise<void> {
    if (this.#waiting?.segment !== segment) {
      const done = this.#enqueue(async () => {
        this.#waiting = undefined;
        await segment.sync();
      });
      this.#waiting = { segment, done };
    }
    return this.#patiently(this.#waiting.done);
  }

  /** `isSynced`: nothing was written to it since, or nothing of it is needed any more. */
  retire(segment: Syncable, isSynced = false): void {
    this.#waiting = undefined;
    void this.#enqueue(async () => {
      try {
        if (!isSynced) await segment.sync();
      } finally {
        await segment.close();
      }
    });
  }

  /** Everything that was asked for is done. */
  settled(): Promise<void> {
    return this.#patiently(this.#tail);
  }

  #enqueue(task: () => Promise<void>): Promise<void> {
    this.#tail = this.#tail
      .then(task)
      .catch((error: unknown) => {
        this.#failure ??= error instanceof Error ? error : new Error(String(error));
      })
      .finally(() => {
        this.#isHung = false;
      });
    return this.#tail;
  }

  async #patiently(done: Promise<void>): Promise<void> {
    if (this.#isHung) throw hungError();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((_resolve, reject) => {
      timer = setTimeout(() => {
        this.#isHung = true;
        reject(hungError());
      }, this.#timeoutMs);
    });
    try {
      await Promise.race([done, late]);
    } finally {
      clearTimeout(timer);
    }
    if (this.#failure !== undefined) throw this.#failure;
  }
}

function hungError(): TrackError {
  return new TrackError("the journal cannot be synced: the disk does not answer");
}
