import { close, closeSync, openSync, rmSync, writeSync, writev } from "node:fs";
import { messageOf } from "../../util/error-code.ts";
import { failOnPurpose } from "../../util/test-fault.ts";
import { consoleSegmentPath, outdatedSegment } from "../../wire/console-segments.ts";
import { hasRoomForThreads } from "./thread-room.ts";

/** Bytes that may wait for the disk before the relay is asked to pause. */
const backlogLimitBytes = 4 * 1024 * 1024;
/** A disk that takes nothing for this long ends the capture: the command is never held up by it for longer. */
const stuckAfterMs = 5000;
const mostChunks = 64;

interface Chunk {
  readonly bytes: Buffer;
  readonly release: () => void;
}

export interface SpoolOptions {
  /** Path of the first segment. */
  readonly path: string;
  /** Of these bytes a segment at most: the first and the last two are kept. */
  readonly segmentBytes: number;
  /** Called once, when the capture ends before the command does; `reason` fits behind "console output is no longer captured: ". */
  readonly onEnd: (reason: string) => void;
  /** Called when a pause that `append` asked for is over. */
  readonly onReady: () => void;
}

/**
 * The files that captured bytes are appended to, in order and off the event loop. Whatever goes wrong with them (full disk, file size
 * limit, hung mount) ends the capture and nothing else.
 */
export class Spool {
  readonly #options: SpoolOptions;
  #fd: number | undefined;
  #segment = 0;
  /** What the open segment can still take. */
  #roomBytes: number;
  /** Whether writing may take a thread; without one it happens on the event loop. */
  #hasThreads: boolean | undefined;
  #waiting: Chunk[] = [];
  #waitingBytes = 0;
  #isWriting = false;
  #isPausing = false;
  #hasFailed = false;
  #stuckTimer: NodeJS.Timeout | undefined;
  #whenIdle: (() => void)[] = [];

  /** Opens or creates `path`, 0600. Throws where that cannot be. */
  constructor(options: SpoolOptions) {
    this.#options = options;
    this.#roomBytes = options.segmentBytes;
    this.#fd = openSync(options.path, "a", 0o600);
  }

  /** Whether something went wrong with it. */
  get hasFailed(): boolean {
    return this.#hasFailed;
  }

  /** The segment that is written now, and what it can still take. */
  get place(): { readonly path: string; readonly roomBytes: number } {
    return { path: consoleSegmentPath(this.#options.path, this.#segment), roomBytes: this.#roomBytes };
  }

  /**
   * Takes `chunk`, which must stay as it is until `release` is called (for ever without it). `false`: the disk is behind, wait for
   * `onReady` before the next one. Never throws.
   */
  append(bytes: Buffer, release: () => void = () => undefined): boolean {
    try {
      return this.#append({ bytes, release });
    } catch (error) {
      // Lack of memory, or a bug of ours: the output itself goes on.
      this.#end(messageOf(error));
      return true;
    }
  }

  #append(chunk: Chunk): boolean {
    failOnPurpose("capture");
    if (this.#fd === undefined) {
      chunk.release();
      return true;
    }
    this.#hasThreads ??= hasRoomForThreads();
    this.#waiting.push(chunk);
    this.#waitingBytes += chunk.bytes.length;
    if (this.#hasThreads) this.#write();
    else this.#writeNow();
    this.#isPausing = this.#waitingBytes > backlogLimitBytes;
    return !this.#isPausing;
  }

  /** Resolves when all that was appended is written, or the capture has ended. */
  async close(): Promise<void> {
    if (this.#isWriting) await new Promise<void>((resolve) => this.#whenIdle.push(resolve));
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  #writeNow(): void {
    for (let chunk = this.#take(1)[0]; chunk !== undefined && this.#fd !== undefined; chunk = this.#take(1)[0]) {
      for (let written = 0; written < chunk.bytes.length;) written += writeSync(this.#fd, chunk.bytes, written);
      this.#count(chunk.bytes.length);
      chunk.release();
    }
  }

  #write(): void {
    if (this.#isWriting || this.#fd === undefined || this.#waiting.length === 0) return;
    const chunks = this.#take(mostChunks);
    const buffers = chunks.map(({ bytes }) => bytes);
    this.#isWriting = true;
    this.#stuckTimer = setTimeout(() => this.#end("the disk takes nothing"), stuckAfterMs);
    this.#stuckTimer.unref();
    writev(this.#fd, buffers, (error, written) => this.#afterWrite(error, chunks, written));
  }

  /** The next chunks that the open segment can take, which may be a new one. */
  #take(most: number): Chunk[] {
    if (this.#roomBytes === 0 && this.#waiting.length > 0) this.#beginSegment();
    const taken: Chunk[] = [];
    let roomBytes = this.#roomBytes;
    while (taken.length < most && roomBytes > 0) {
      const chunk = this.#waiting.shift();
      if (chunk === undefined) break;
      if (chunk.bytes.length > roomBytes) {
        // Its memory is released with its second half.
        this.#waiting.unshift({ ...chunk, bytes: chunk.bytes.subarray(roomBytes) });
        taken.push({ bytes: chunk.bytes.subarray(0, roomBytes), release: () => undefined });
        break;
      }
      taken.push(chunk);
      roomBytes -= chunk.bytes.length;
    }
    return taken;
  }

  #beginSegment(): void {
    const { path, segmentBytes } = this.#options;
    const next = openSync(consoleSegmentPath(path, this.#segment + 1), "a", 0o600);
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = next;
    this.#segment += 1;
    this.#roomBytes = segmentBytes;
    const outdated = outdatedSegment(this.#segment);
    if (outdated !== undefined) rmSync(consoleSegmentPath(path, outdated), { force: true });
  }

  #count(written: number): void {
    this.#waitingBytes -= written;
    this.#roomBytes -= written;
  }

  #afterWrite(error: Error | null, chunks: readonly Chunk[], written: number): void {
    clearTimeout(this.#stuckTimer);
    this.#isWriting = false;
    if (error !== null) this.#end(messageOf(error));
    this.#waiting.unshift(...restOf(chunks, written));
    if (this.#fd === undefined) {
      this.#drop();
    } else {
      this.#count(written);
      this.#writeOn();
    }
    if (this.#isPausing && this.#waitingBytes <= backlogLimitBytes) this.#resume();
    if (!this.#isWriting) for (const resolve of this.#whenIdle.splice(0)) resolve();
  }

  #writeOn(): void {
    try {
      this.#write();
    } catch (error) {
      // The next segment cannot be begun.
      this.#end(messageOf(error));
    }
  }

  #end(reason: string): void {
    if (this.#fd === undefined) return;
    this.#hasFailed = true;
    // A write may still be under way on it: closing may have to wait as long as that does.
    if (this.#hasThreads === true) close(this.#fd, () => undefined);
    else closeSync(this.#fd);
    this.#fd = undefined;
    this.#drop();
    this.#options.onEnd(reason);
    if (this.#isPausing) this.#resume();
    for (const resolve of this.#whenIdle.splice(0)) resolve();
  }

  #drop(): void {
    for (const { release } of this.#waiting.splice(0)) release();
    this.#waitingBytes = 0;
  }

  #resume(): void {
    this.#isPausing = false;
    this.#options.onReady();
  }
}

/** What of `chunks` is left after a write; the others are released. */
function restOf(chunks: readonly Chunk[], written: number): readonly Chunk[] {
  const rest: Chunk[] = [];
  let left = written;
  for (const chunk of chunks) {
    const { length } = chunk.bytes;
    if (left >= length) chunk.release();
    else rest.push(left > 0 ? { ...chunk, bytes: chunk.bytes.subarray(left) } : chunk);
    left = Math.max(0, left - length);
  }
  return rest;
}
