import { expect, test } from "vitest";
import type { Syncable } from "../../src/journal/sync-queue.ts";
import { SyncQueue } from "../../src/journal/sync-queue.ts";

/** A segment on a disk that answers when it is told to: no real disk hangs or fails in fdatasync on command. */
function segmentOn(answer: () => Promise<void>): Syncable & { syncs: number; isClosed: boolean } {
  const segment = {
    syncs: 0,
    isClosed: false,
    sync: () => {
      segment.syncs += 1;
      return answer();
    },
    close: () => {
      segment.isClosed = true;
      return Promise.resolve();
    },
  };
  return segment;
}

test("calls that come while a sync runs share the next one, never the running one", async () => {
  const releases: (() => void)[] = [];
  const segment = segmentOn(() => new Promise((resolve) => void releases.push(resolve)));
  const queue = new SyncQueue(10_000);
  const first = queue.sync(segment);
  await Promise.resolve();
  const later = [queue.sync(segment), queue.sync(segment), queue.sync(segment)];
  releases[0]?.();
  await first;
  expect(segment.syncs).toBe(2);
  releases[1]?.();
  await Promise.all(later);
  expect(segment.syncs).toBe(2);
});

test("nobody waits for a disk that hangs, and once it answers syncs work again", async () => {
  let release = (): void => {};
  const segment = segmentOn(() => new Promise((resolve) => void (release = resolve)));
  const queue = new SyncQueue(30);
  await expect(queue.sync(segment)).rejects.toThrow("does not answer");
  const started = performance.now();
  await expect(queue.sync(segment)).rejects.toThrow("does not answer");
  expect(performance.now() - started).toBeLessThan(25);
  release();
  await new Promise(setImmediate);
  release();
  await new Promise(setImmediate);
  const again = queue.sync(segment);
  await new Promise(setImmediate);
  release();
  await again;
});

test("a failure of a retired segment is never forgotten, and the segment is closed all the same", async () => {
  const bad = segmentOn(() => Promise.reject(new Error("EIO")));
  const good = segmentOn(() => Promise.resolve());
  const queue = new SyncQueue(10_000);
  queue.retire(bad);
  await expect(queue.sync(good)).rejects.toThrow("EIO");
  await expect(queue.sync(good)).rejects.toThrow("EIO");
  expect(bad.isClosed).toBe(true);
});
