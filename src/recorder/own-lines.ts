import { closeSync, fstatSync, readSync } from "node:fs";
import { openOrUndefined } from "./output-files.ts";

const nothing = Buffer.alloc(0);

/**
 * Takes what `track` itself said into a file that is the command's stderr as well out of what is read from there. The wrapper notes
 * each line, as JSON, in `path` before it says it; each is taken out once, wherever it stands.
 */
export class OwnLineFilter {
  readonly #path: string;
  #readBytes = 0;
  #awaited: Buffer[] = [];
  #held: Buffer = nothing;

  constructor(path: string) {
    this.#path = path;
  }

  /** To be called after the end of the output was measured: what stands before it has been noted by then. */
  refresh(): void {
    const fd = openOrUndefined(this.#path);
    if (fd === undefined) return;
    const buffer = Buffer.alloc(Math.max(0, fstatSync(fd).size - this.#readBytes));
    const count = readSync(fd, buffer, 0, buffer.length, this.#readBytes);
    closeSync(fd);
    const end = buffer.subarray(0, count).lastIndexOf(10) + 1;
    this.#readBytes += end;
    for (const line of buffer.toString("utf8", 0, end).split("\n")) {
      if (line !== "") this.#awaited.push(Buffer.from(JSON.parse(line) as string));
    }
  }

  /** May hold back the end of `chunk`, while it may be the beginning of such a line. */
  push(chunk: Buffer): Buffer {
    if (this.#awaited.length === 0 && this.#held.length === 0) return chunk;
    let text = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    const parts: Buffer[] = [];
    for (let found = this.#find(text); found !== undefined; found = this.#find(text)) {
      parts.push(text.subarray(0, found.at));
      text = text.subarray(found.at + found.length);
    }
    const hold = Math.max(0, ...this.#awaited.map((line) => overlap(text, line)));
    this.#held = hold === 0 ? nothing : Buffer.from(text.subarray(text.length - hold));
    parts.push(text.subarray(0, text.length - hold));
    return parts.length === 1 ? text.subarray(0, text.length - hold) : Buffer.concat(parts);
  }

  /** What is still held back; nothing more comes. */
  end(): Buffer {
    const held = this.#held;
    this.#held = nothing;
    return held;
  }

  /** The first awaited line in `text`, which is awaited no more. */
  #find(text: Buffer): { readonly at: number; readonly length: number } | undefined {
    let first: { readonly at: number; readonly line: Buffer } | undefined;
    for (const line of this.#awaited) {
      const at = text.indexOf(line);
      if (at !== -1 && (first === undefined || at < first.at)) first = { at, line };
    }
    if (first === undefined) return undefined;
    const { at, line } = first;
    this.#awaited = this.#awaited.filter((awaited) => awaited !== line);
    return { at, length: line.length };
  }
}

/** How many bytes at the end of `text` are the beginning of `line`. */
function overlap(text: Buffer, line: Buffer): number {
  for (let length = Math.min(text.length, line.length - 1); length > 0; length -= 1) {
    if (text.subarray(text.length - length).equals(line.subarray(0, length))) return length;
  }
  return 0;
}
