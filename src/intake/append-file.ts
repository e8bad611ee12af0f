import { type FSWatcher, watch } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { StoreError } from "../errors.ts";
import { hasCode, messageOf } from "../util/error-code.ts";
import { BadLineError } from "./bad-line.ts";
import type { AppendFileHandler } from "./intake-handler.ts";
import { lineFaultError } from "./line-fault.ts";
import { type LineFault, LineSplitter } from "./line-splitter.ts";
import { parseFileLine, parseShellPid } from "./file-line.ts";

/** A watch tells at once where the file system can; this is for where it cannot. */
const pollMs = 1000;
const readBytes = 64 * 1024;

export interface AppendFileOptions {
  readonly path: string;
  readonly handler: AppendFileHandler;
  /** Where to start, in bytes: what the last `fileOffset` said. */
  readonly offset?: number;
}

/**
 * Follows `$TRACK_LOG`: every complete line that programs append, in order. The file may appear late, be emptied or
 * replaced. Never throws into its owner: what cannot be read is reported to the handler and tried again.
 */
export class AppendFileReader {
  readonly #path: string;
  readonly #handler: AppendFileHandler;
  /** Bytes read; the splitter holds what belongs to no complete line yet. */
  #readOffset: number;
  /** Where the splitter's own count begins. */
  #baseOffset: number;
  /** What `fileOffset` said last. */
  #toldOffset: number;
  #splitter = new LineSplitter();
  /** What tells the same file, grown, from another one under its name. */
  #seen: { readonly inode: number; readonly lastByte: number } | undefined;
  #watcher: FSWatcher | undefined;
  #timer: NodeJS.Timeout | undefined;
  #reading: Promise<void> | undefined;
  #isStopped = false;

  constructor(options: AppendFileOptions) {
    this.#path = options.path;
    this.#handler = options.handler;
    this.#readOffset = options.offset ?? 0;
    this.#baseOffset = this.#readOffset;
    this.#toldOffset = this.#readOffset;
  }

  /** Begins to follow the file. Keeps no process alive. */
  start(): void {
    this.#timer = setInterval(() => this.#poke(), pollMs).unref();
    this.#watch();
    this.#poke();
  }

  /** Takes in what is there by now, a last line without newline included, and stops: for when the command has ended. */
  async finish(): Promise<void> {
    this.#stopFollowing();
    await this.#reading;
    await this.#guard(() => this.#readOn());
    const line = this.#splitter.finish();
    if (line !== undefined) await this.#guard(() => this.#takeLines(() => undefined, line));
    await this.stop();
  }

  /** Stops where it is; what was not taken is left for the next reader, which starts at the last offset told. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#stopFollowing();
    await this.#reading;
  }

  #stopFollowing(): void {
    clearInterval(this.#timer);
    this.#watcher?.close();
    this.#watcher = undefined;
  }

  /** Only makes reading prompt: the timer sees all that inotify does not tell (network file systems, no watches left). */
  #watch(): void {
    try {
      this.#watcher = watch(this.#path, { persistent: false }, () => this.#poke());
      this.#watcher.on("error", () => {});
    } catch (error) {
      if (!hasCode(error, "ENOENT", "EMFILE", "ENOSPC", "ENOSYS", "EACCES")) throw error;
    }
  }

  #poke(): void {
    if (this.#reading !== undefined || this.#isStopped) return;
    this.#reading = this.#guard(() => this.#readOn()).finally(() => (this.#reading = undefined));
  }

  async #guard(read: () => Promise<void>): Promise<void> {
    try {
      await read();
    } catch (error) {
      this.#handler.reportBad("fault", `cannot read ${this.#path}: ${messageOf(error)}`);
    }
  }

  /** Reads to the end that the file had at the beginning, and on to the end of that line: a flood must not hold us for ever. */
  async #readOn(): Promise<void> {
    await using file = await openOrUndefined(this.#path);
    if (file === undefined) return;
    const { ino, size } = await file.stat();
    await this.#checkSameFile(file, ino, size);
    const buffer = Buffer.allocUnsafe(readBytes);
    while (!this.#isStopped && (this.#readOffset < size || this.#splitter.isWithinLine)) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length, this.#readOffset);
      if (bytesRead === 0) return;
      this.#readOffset += bytesRead;
      this.#seen = { inode: ino, lastByte: buffer.readUInt8(bytesRead - 1) };
      this.#splitter.push(buffer.subarray(0, bytesRead));
      await this.#takeLines(() => this.#splitter.next());
    }
  }

  async #checkSameFile(file: FileHandle, inode: number, size: number): Promise<void> {
    if (this.#readOffset === 0) return;
    const isSame =
      size >= this.#readOffset &&
      (this.#seen === undefined ||
        (this.#seen.inode === inode && this.#seen.lastByte === (await byteAt(file, this.#readOffset - 1))));
    if (isSame) return;
    this.#handler.reportBad(
      "truncated",
      `${this.#path} was overwritten (write with >>, not >): read again from its start`,
    );
    this.#readOffset = 0;
    this.#baseOffset = 0;
    this.#toldOffset = 0;
    this.#splitter = new LineSplitter();
  }

  /** A copy takes its time, in which others end their batches: what came before it is ended first, with its own offset. */
  async #takeLines(next: () => string | LineFault | undefined, first = next()): Promise<void> {
    let offset = this.#toldOffset;
    for (let line = first; line !== undefined; line = next()) {
      const done = this.#takeLine(line);
      if (done !== undefined) {
        this.#endBatch(offset);
        await done;
        this.#endBatch(this.#takenOffset);
      }
      offset = this.#takenOffset;
    }
    this.#endBatch(offset);
  }

  #endBatch(offset: number): void {
    if (offset === this.#toldOffset) return;
    this.#toldOffset = offset;
    this.#handler.fileOffset(offset);
    this.#handler.batchEnd?.();
  }

  get #takenOffset(): number {
    return this.#baseOffset + this.#splitter.consumedBytes;
  }

  /** A line that fails stays a line that failed: the rest of the file is read all the same. */
  #takeLine(line: string | LineFault): Promise<void> | undefined {
    try {
      const shellPid = typeof line === "string" ? parseShellPid(line) : undefined;
      if (shellPid !== undefined) {
        this.#handler.shellPid?.(shellPid);
        return undefined;
      }
      const record = typeof line === "string" ? parseFileLine(line) : throwFault(line);
      if (record === undefined) return undefined;
      return this.#handler
        .record(record, { kind: "file", offset: this.#takenOffset })
        ?.catch((error: unknown) => this.#refuse(error));
    } catch (error) {
      this.#refuse(error);
      return undefined;
    }
  }

  #refuse(error: unknown): void {
    const kind = error instanceof BadLineError ? error.kind : error instanceof StoreError ? "refused" : "fault";
    this.#handler.reportBad(kind, messageOf(error));
  }
}

function throwFault(line: LineFault): never {
  throw lineFaultError(line);
}

async function openOrUndefined(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, "r");
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw error;
  }
}

async function byteAt(file: FileHandle, position: number): Promise<number | undefined> {
  const { bytesRead, buffer } = await file.read(Buffer.alloc(1), 0, 1, position);
  return bytesRead === 1 ? buffer[0] : undefined;
}
