import { closeSync, fstatSync, openSync, readdirSync, readSync } from "node:fs";
import { basename, dirname } from "node:path";
import { hasCode } from "../util/error-code.ts";
import { consoleSegmentPath } from "../wire/console-segments.ts";

/** A file of raw output, and how far it was read, in bytes. */
export interface OutputEnd {
  readonly path: string;
  readonly offset: number;
}

/** Raw output that grows while it is read. Every method throws what the disk answers. */
export interface OutputFile {
  /** Where the next byte is read, counted from the first one of all. */
  readonly offset: number;
  readonly end: OutputEnd;
  /** Where the output ends now, counted like `offset`. */
  measure(): number;
  /** Bytes that are gone from where one reads, and over which `offset` goes now. */
  skipMissing(): number;
  skip(bytes: number): void;
  /** Reads up to `maxBytes` into the beginning of `buffer`. */
  read(buffer: Buffer, maxBytes: number): number;
  close(): void;
}

/** A file that the command writes itself, from `offset` on; `undefined` where it cannot be opened. */
export function openOutput(path: string, offset: number): OutputFile | undefined {
  const fd = openOrUndefined(path);
  return fd === undefined ? undefined : new PlainOutput(path, fd, offset);
}

/** The wrapper's own segments beginning at `path`; `undefined` where there is no first one. */
export function openSegments(path: string, segmentBytes: number): OutputFile | undefined {
  const fd = openOrUndefined(path);
  return fd === undefined ? undefined : new SegmentedOutput(path, fd, segmentBytes);
}

/** `undefined` for what is not there or not ours to read. */
export function openOrUndefined(path: string): number | undefined {
  try {
    return openSync(path, "r");
  } catch (error) {
    if (hasCode(error, "ENOENT", "EACCES", "EPERM", "ENXIO", "ENOTDIR")) return undefined;
    throw error;
  }
}

class PlainOutput implements OutputFile {
  offset: number;
  readonly #path: string;
  readonly #fd: number;

  constructor(path: string, fd: number, offset: number) {
    this.#path = path;
    this.#fd = fd;
    this.offset = offset;
  }

  get end(): OutputEnd {
    return { path: this.#path, offset: this.offset };
  }

  /** A file that another hand cut short (`> log`) is read from its new end. */
  measure(): number {
    const { size } = fstatSync(this.#fd);
    if (size < this.offset) this.offset = size;
    return size;
  }

  skipMissing(): number {
    return 0;
  }

  skip(bytes: number): void {
    this.offset += bytes;
  }

  read(buffer: Buffer, maxBytes: number): number {
    const count = readSync(this.#fd, buffer, 0, maxBytes, this.offset);
    this.offset += count;
    return count;
  }

  close(): void {
    closeSync(this.#fd);
  }
}

/** All segments but the last are exactly `segmentBytes` long. */
class SegmentedOutput implements OutputFile {
  offset = 0;
  readonly #path: string;
  readonly #segmentBytes: number;
  #fd: number;
  /** Which one is open. */
  #index = 0;
  /** The last one that was seen. */
  #last = 0;

  constructor(path: string, fd: number, segmentBytes: number) {
    this.#path = path;
    this.#fd = fd;
    this.#segmentBytes = segmentBytes;
  }

  get end(): OutputEnd {
    return { path: consoleSegmentPath(this.#path, this.#index), offset: this.#position };
  }

  measure(): number {
    if (this.#index === this.#last && fstatSync(this.#fd).size >= this.#segmentBytes)
      this.#last = this.#existing().at(-1) ?? 0;
    if (this.#index === this.#last) return this.#last * this.#segmentBytes + fstatSync(this.#fd).size;
    const fd = openOrUndefined(consoleSegmentPath(this.#path, this.#last));
    // Removed since, so there is a later one: the next look finds it.
    if (fd === undefined) this.#last = this.#existing().at(-1) ?? this.#index;
    const size = fd === undefined ? 0 : fstatSync(fd).size;
    if (fd !== undefined) closeSync(fd);
    return this.#last * this.#segmentBytes + size;
  }

  skipMissing(): number {
    const before = this.offset;
    let index = this.#wanted;
    while (index !== this.#index) {
      const fd = openOrUndefined(consoleSegmentPath(this.#path, index));
      if (fd !== undefined) {
        closeSync(this.#fd);
        this.#fd = fd;
        this.#index = index;
        break;
      }
      const next = this.#existing().find((existing) => existing > index);
      if (next === undefined) break;
      index = next;
      this.offset = index * this.#segmentBytes;
      this.#last = Math.max(this.#last, index);
    }
    return this.offset - before;
  }

  skip(bytes: number): void {
    this.offset += bytes;
  }

  read(buffer: Buffer, maxBytes: number): number {
    const left = this.#index === this.#last ? maxBytes : this.#segmentBytes - this.#position;
    const count = readSync(this.#fd, buffer, 0, Math.min(maxBytes, left), this.#position);
    this.offset += count;
    return count;
  }

  close(): void {
    closeSync(this.#fd);
  }

  get #wanted(): number {
    return Math.min(Math.floor(this.offset / this.#segmentBytes), this.#last);
  }

  get #position(): number {
    return this.offset - this.#index * this.#segmentBytes;
  }

  #existing(): readonly number[] {
    const prefix = `${basename(this.#path)}.`;
    return readdirSync(dirname(this.#path))
      .filter((name) => name.startsWith(prefix) && /^\d+$/u.test(name.slice(prefix.length)))
      .map((name) => Number(name.slice(prefix.length)))
      .toSorted((one, other) => one - other);
  }
}
