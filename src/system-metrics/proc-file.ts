import { closeSync, openSync, readSync } from "node:fs";
import { hasCode } from "../util/error-code.ts";

/** One buffer for all reads: sampling is synchronous, so no two reads overlap, and nothing is allocated once it has its size. */
let buffer = Buffer.allocUnsafeSlow(16_384);

/** A file of /proc kept open and read anew from its start each time: a third of the cost of opening it again. */
export class ProcFile {
  readonly #fd: number;

  /** Throws what `open` throws. */
  constructor(path: string) {
    this.#fd = openSync(path, "r");
  }

  read(): string {
    return buffer.toString("latin1", 0, readAll(this.#fd));
  }

  close(): void {
    closeSync(this.#fd);
  }
}

/** Text of a small kernel file, or `undefined` where the kernel gives none: gone, not there, not allowed, device asleep. */
export function readKernelFile(path: string): string | undefined {
  return readText(path, readAll);
}

/** The same for a file of one record (stat and io of a process), which the kernel gives whole in one read. */
export function readKernelRecord(path: string): string | undefined {
  return readText(path, (fd) => readSync(fd, buffer, 0, buffer.length, 0));
}

function readText(path: string, read: (fd: number) => number): string | undefined {
  let fd: number | undefined;
  try {
    fd = openSync(path, "r");
    return buffer.toString("latin1", 0, read(fd));
  } catch (error) {
    if (hasCode(error, ...absentCodes)) return undefined;
    throw error;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/** A kernel file that holds one number; `undefined` where it cannot be read or holds something else. */
export function readKernelNumber(path: string): number | undefined {
  const text = readKernelFile(path)?.trim();
  return text !== undefined && /^-?\d+$/u.test(text) ? Number(text) : undefined;
}

const absentCodes =
  "ENOENT ESRCH ENOTDIR EISDIR EACCES EPERM EINVAL EIO EBUSY ENODATA EOPNOTSUPP ENOTSUP ENXIO ENODEV".split(" ");

function readAll(fd: number): number {
  let length = 0;
  for (;;) {
    if (length === buffer.length) buffer = Buffer.concat([buffer], buffer.length * 2);
    const count = readSync(fd, buffer, length, buffer.length - length, length);
    if (count === 0) return length;
    length += count;
  }
}
