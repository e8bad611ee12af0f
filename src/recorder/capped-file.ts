import { closeSync, mkdirSync, openSync, readSync, renameSync, rmSync, statSync, writeSync } from "node:fs";
import { dirname } from "node:path";

/**
 * A log of at most `limitBytes`: the first half and the last half are kept, the middle is left out, and said so.
 * The tail lies in two files that take turns, so that nothing is ever moved while the log grows.
 */
export class CappedFile {
  readonly #path: string;
  readonly #half: number;
  #head: number | undefined;
  #tail: number | undefined;
  #headBytes = 0;
  #isHeadClosed = false;
  #tailBytes = 0;
  #totalBytes = 0;

  constructor(path: string, limitBytes: number) {
    this.#path = path;
    this.#half = Math.max(1, Math.floor(limitBytes / 2));
  }

  /** Throws the system's error (ENOSPC, ...). */
  append(bytes: Buffer): void {
    this.#totalBytes += bytes.length;
    const room = this.#isHeadClosed ? 0 : this.#half - this.#headBytes;
    if (room > 0) this.#appendHead(bytes.subarray(0, room));
    if (bytes.length > room) this.#appendTail(bytes.subarray(Math.max(0, room)));
  }

  /** The first half is complete: what comes now is kept only as far as nothing comes behind it. */
  get isHeadFull(): boolean {
    return this.#isHeadClosed || this.#headBytes === this.#half;
  }

  /** Bytes of the file itself, which is all of the log so far; `undefined` once a part of it lies elsewhere. */
  get wholeBytes(): number | undefined {
    return this.#totalBytes === this.#headBytes ? this.#headBytes : undefined;
  }

  /** Of what comes, so much at most is kept. */
  get tailLimitBytes(): number {
    return this.#half;
  }

  /** Counts bytes that are left out without being read; the head is complete then, and at least `tailLimitBytes` more must follow. */
  skip(bytes: number): void {
    this.#isHeadClosed = true;
    this.#totalBytes += bytes;
  }

  /** Puts head and tail together; false when nothing was ever written. */
  finish(): boolean {
    if (this.#head === undefined) return false;
    if (this.#totalBytes > this.#headBytes) this.#joinTail(this.#head);
    closeSync(this.#head);
    this.#head = undefined;
    for (const name of [this.#newPath, this.#oldPath]) rmSync(name, { force: true });
    return true;
  }

  get #newPath(): string {
    return `${this.#path}.tail`;
  }

  get #oldPath(): string {
    return `${this.#path}.tail-old`;
  }

  #appendHead(bytes: Buffer): void {
    this.#head ??= this.#create(this.#path);
    writeAll(this.#head, bytes);
    this.#headBytes += bytes.length;
  }

  #appendTail(bytes: Buffer): void {
    this.#tail ??= this.#create(this.#newPath);
    writeAll(this.#tail, bytes);
    this.#tailBytes += bytes.length;
    if (this.#tailBytes < this.#half) return;
    closeSync(this.#tail);
    renameSync(this.#newPath, this.#oldPath);
    this.#tail = undefined;
    this.#tailBytes = 0;
  }

  #create(path: string): number {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    return openSync(path, "w+", 0o600);
  }

  #joinTail(head: number): void {
    if (this.#tail !== undefined) closeSync(this.#tail);
    const old = statSync(this.#oldPath, { throwIfNoEntry: false })?.size ?? 0;
    const skip = Math.min(old, Math.max(0, old + this.#tailBytes - this.#half));
    const left = this.#totalBytes - this.#headBytes - (old - skip) - this.#tailBytes;
    if (left > 0) writeAll(head, Buffer.from(`\n... ${left} bytes left out here by track's --console-limit ...\n`));
    copyFrom(this.#oldPath, skip, head);
    copyFrom(this.#newPath, 0, head);
  }
}

function copyFrom(path: string, offset: number, target: number): void {
  if (statSync(path, { throwIfNoEntry: false }) === undefined) return;
  const source = openSync(path, "r");
  const buffer = Buffer.allocUnsafe(256 * 1024);
  for (let position = offset; ;) {
    const count = readSync(source, buffer, 0, buffer.length, position);
    if (count === 0) break;
    position += count;
    writeAll(target, buffer.subarray(0, count));
  }
  closeSync(source);
}

function writeAll(fd: number, bytes: Buffer): void {
  for (let written = 0; written < bytes.length;) written += writeSync(fd, bytes, written);
}
