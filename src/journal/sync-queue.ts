import type { SegmentFile } from "./segment-file.ts";

/**
 * fdatasync, one at a time; calls that come while one runs share the next. A segment that is retired is synced and
 * closed in its turn, so that `sync` of its successor vouches for both. After a failure every later `sync` rejects with it:
 * the kernel reports a lost page once and forgets it.
 */
export class SyncQueue {
  #tail: Promise<void> = Promise.resolve();
  #waiting: { readonly segment: SegmentFile; readonly done: Promise<void> } | undefined;
  #failure: Error | undefined;

  sync(segment: SegmentFile): Promise<void> {
    if (this.#waiting?.segment === segment) return this.#waiting.done;
    const done = this.#enqueue(async () => {
      this.#waiting = undefined;
      await segment.sync();
    }).then(() => this.#throwFailure());
    this.#waiting = { segment, done };
    return done;
  }

  retire(segment: SegmentFile): void {
    this.#waiting = undefined;
    void this.#enqueue(async () => {
      try {
        await segment.sync();
      } finally {
        await segment.close();
      }
    });
  }

  async settled(): Promise<void> {
    await this.#tail;
    this.#throwFailure();
  }

  #enqueue(task: () => Promise<void>): Promise<void> {
    this.#tail = this.#tail.then(task).catch((error: unknown) => {
      this.#failure ??= error instanceof Error ? error : new Error(String(error));
    });
    return this.#tail;
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }
}
