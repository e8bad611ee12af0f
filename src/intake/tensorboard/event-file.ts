import { type FileHandle, open } from "node:fs/promises";
import { maskedCrc32c } from "./crc32c.ts";

/** Length (8 bytes), its checksum (4), the data, and their checksum (4): tensorflow/core/lib/io/record_writer.cc. */
const headerBytes = 12;
const frameBytes = headerBytes + 4;
const chunkBytes = 256 * 1024;
/** Scalars need a hundred bytes; what is longer (graphs, pictures) is passed over unread. */
const recordLimitBytes = 4 * 1024 * 1024;
/** A header that makes no sense may be one that is just being written, on a network file system. */
const badReadsAllowed = 3;

export interface EventFileHandler {
  /** The data of one whole record. */
  onRecord(data: Uint8Array): void;
  /** `kind`: what it is about, for telling the user once of each. */
  onFault(kind: "foreign" | "damaged" | "record", message: string): void;
  /** A promise while nothing more should come. */
  congestion?(): Promise<void> | undefined;
}

/** One event file that grows: each record that is complete and sound, once. */
export class EventFile {
  readonly path: string;
  /** Records that end before it are none of ours. */
  #ignoredBytes: number;
  #offset = 0;
  #inode: number | undefined;
  #badReads = 0;
  #seenSize = -1;
  #isBroken = false;

  /** `ignoredBytes`: what the file held before it became of interest. */
  constructor(path: string, ignoredBytes: number) {
    this.path = path;
    this.#ignoredBytes = ignoredBytes;
  }

  /** Reads what is complete by now; `size`: of the file, as it was last seen. Throws the system's errors. */
  async readOn(size: number, handler: EventFileHandler): Promise<void> {
    if (this.#isBroken || (size === this.#seenSize && this.#badReads === 0)) return;
    if (size === this.#ignoredBytes && this.#offset === 0) return;
    await using file = await open(this.path, "r");
    const { ino, size: sizeNow } = await file.stat();
    if (sizeNow < this.#offset || (this.#inode !== undefined && ino !== this.#inode)) this.#startAgain();
    this.#inode = ino;
    this.#seenSize = sizeNow;
    await this.#readRecords(file, sizeNow, handler);
  }

  /** Another file under the same name. */
  #startAgain(): void {
    this.#offset = 0;
    this.#ignoredBytes = 0;
    this.#badReads = 0;
  }

  async #readRecords(file: FileHandle, size: number, handler: EventFileHandler): Promise<void> {
    const buffer = Buffer.allocUnsafe(Math.min(chunkBytes, size - this.#offset));
    while (size - this.#offset >= frameBytes) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length, this.#offset);
      const before = this.#offset;
      const needed = this.#takeRecords(buffer.subarray(0, bytesRead), size, handler);
      if (needed > recordLimitBytes) this.#offset += needed;
      else if (needed > 0) await this.#readLong(file, needed, handler);
      if (this.#offset === before) return;
      await handler.congestion?.();
    }
  }

  /** Takes all records that lie whole in `bytes`; returns the length of one that goes on behind them, 0 where none is. */
  #takeRecords(bytes: Buffer, size: number, handler: EventFileHandler): number {
    let at = 0;
    let needed = 0;
    while (bytes.length - at >= headerBytes) {
      const length = this.#readLength(bytes.subarray(at, at + headerBytes), handler);
      if (length === undefined || this.#offset + length > size) break;
      if (at + length > bytes.length) {
        needed = length;
        break;
      }
      this.#takeRecord(bytes.subarray(at, at + length), handler);
      at += length;
    }
    return needed;
  }

  /** Of the whole frame; `undefined` where the header is none. */
  #readLength(header: Buffer, handler: EventFileHandler): number | undefined {
    const length = Number(header.readBigUInt64LE(0));
    if (header.readUInt32LE(8) === maskedCrc32c(header.subarray(0, 8)) && Number.isSafeInteger(length)) {
      this.#badReads = 0;
      return length + frameBytes;
    }
    this.#badReads += 1;
    if (this.#badReads > badReadsAllowed || (this.#offset === 0 && header[8] !== 0)) {
      this.#isBroken = true;
      if (this.#offset === 0) handler.onFault("foreign", `${this.path} is no event file of TensorBoard`);
      else handler.onFault("damaged", `${this.path} is damaged at byte ${this.#offset} and not read any further`);
    }
    return undefined;
  }

  #takeRecord(frame: Buffer, handler: EventFileHandler): void {
    const data = frame.subarray(headerBytes, frame.length - 4);
    const isSound = frame.readUInt32LE(frame.length - 4) === maskedCrc32c(data);
    this.#offset += frame.length;
    if (this.#offset <= this.#ignoredBytes) return;
    if (isSound) handler.onRecord(data);
    else
      handler.onFault("record", `${this.path}: a damaged record was left out, at byte ${this.#offset - frame.length}`);
  }

  async #readLong(file: FileHandle, length: number, handler: EventFileHandler): Promise<void> {
    const frame = Buffer.allocUnsafe(length);
    const { bytesRead } = await file.read(frame, 0, length, this.#offset);
    if (bytesRead === length) this.#takeRecord(frame, handler);
  }
}
