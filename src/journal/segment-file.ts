import { close, fdatasync, fsync, open, openSync, write } from "node:fs";
import { promisify } from "node:util";
import { hasCode } from "../util/error-code.ts";
import { listSegments, segmentPath } from "./segments.ts";

const openFile = promisify(open);
const closeFile = promisify(close);
const syncFile = promisify(fsync);
const syncData = promisify(fdatasync);

/**
 * One segment open for writing. Bytes go to explicit places and not "to the end", so that writing the same bytes
 * again after an error or in a crash handler does no harm. All calls go through the thread pool: a hung disk stops no event loop.
 */
export class SegmentFile {
  readonly #folder: string;
  readonly fd: number;
  /** Bytes written, so the place of the next write. */
  size = 0;
  #isNamed = false;

  private constructor(folder: string, fd: number) {
    this.#folder = folder;
    this.fd = fd;
  }

  /** Always a new file, 0600, with the next free number: what a predecessor left torn is never written behind. */
  static async create(folder: string): Promise<SegmentFile> {
    for (let segment = (listSegments(folder).at(-1) ?? 0) + 1; ; segment += 1) {
      try {
        return new SegmentFile(folder, await openFile(segmentPath(folder, segment), "wx", 0o600));
      } catch (error) {
        if (!hasCode(error, "EEXIST")) throw error;
      }
    }
  }

  /** Resolves to the number of bytes written, which may be fewer than asked for. */
  write(buffer: Buffer, offset: number): Promise<number> {
    return new Promise((resolve, reject) => {
      write(this.fd, buffer, offset, buffer.length - offset, this.size, (error, count) => {
        if (error !== null) return reject(error);
        this.size += count;
        resolve(count);
      });
    });
  }

  /** What was written before the call survives a power cut, the file's name included. */
  async sync(): Promise<void> {
    await syncData(this.fd);
    if (this.#isNamed) return;
    const folder = await openFile(this.#folder, "r");
    try {
      await syncFile(folder);
    } finally {
      await closeFile(folder);
    }
    this.#isNamed = true;
  }

  close(): Promise<void> {
    return closeFile(this.fd);
  }
}

/** Descriptor of a new segment, for one that has no time to wait. */
export function createSegmentSync(folder: string): number {
  for (let segment = (listSegments(folder).at(-1) ?? 0) + 1; ; segment += 1) {
    try {
      return openSync(segmentPath(folder, segment), "wx", 0o600);
    } catch (error) {
      if (!hasCode(error, "EEXIST")) throw error;
    }
  }
}
