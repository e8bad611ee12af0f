import { closeSync, constants, existsSync, readSync, renameSync } from "node:fs";
import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import { randomHex } from "../util/ids.ts";
import type { StreamMasker } from "../wire/redact.ts";
import { consoleMarginBytes, consoleSegmentBytes } from "../wire/console-segments.ts";
import type { ConsoleSource } from "../wire/control-messages.ts";
import { journalFiles } from "../wire/journal-header.ts";
import { CappedFile } from "./capped-file.ts";
import { openOrUndefined, openOutput, openSegments, type OutputEnd, type OutputFile } from "./output-files.ts";
import { OwnLineFilter } from "./own-lines.ts";

/** Who reads the masked output along. `offset`: how far the raw output has been read, in bytes. */
export interface OutputReader {
  /** An offset that a reading ends at before it goes beyond. */
  readonly border: number;
  push(bytes: Buffer, offset: number): void;
  /** What lay before `offset` is gone. */
  skipped(offset: number): void;
  finish(): void;
}

interface Channel {
  readonly file: OutputFile;
  readonly reader: OutputReader | undefined;
  readonly ownLines: OwnLineFilter;
  masker: StreamMasker;
}

export interface ConsoleRecorderOptions {
  readonly folder: string;
  readonly limitBytes: number;
  createMasker(): StreamMasker;
  /** For each file of output, by its number; absent: nobody reads along. A reader sees what the log leaves out as well. */
  createReader?: (index: number) => OutputReader;
  /** A promise while readers should be handed nothing more. */
  congestion?: () => Promise<void> | undefined;
  /** One line for the user. */
  onNotice(text: string): void;
}

const pollMs = 200;
const quietPollMs = 1000;
const quietPollsAllowed = 25;
const readBytes = 256 * 1024;
/** What is read in one poll: masking a flood of output must not take a core from the training, nor the terminal's pace. */
const pollBytes = 4 * 1024 * 1024;
/** The same where somebody reads along, to whom what has been removed meanwhile is lost. */
const readerPollBytes = 8 * 1024 * 1024;

/**
 * Follows the raw console output (the journal's spool, or the files that the command writes itself) and keeps the masked
 * bytes in the journal, in the order of arrival. A reader that starts again begins at the first byte.
 */
export class ConsoleRecorder {
  readonly #options: ConsoleRecorderOptions;
  readonly #output: CappedFile;
  readonly #buffer = Buffer.allocUnsafe(readBytes);
  #channels: Channel[] = [];
  #timer: NodeJS.Timeout | undefined;
  #reading: Promise<void> = Promise.resolve();
  #quietPolls = 0;
  #isFinished = false;
  #ends: readonly OutputEnd[] = [];
  #isBroken = false;

  constructor(options: ConsoleRecorderOptions) {
    this.#options = options;
    this.#output = new CappedFile(join(options.folder, journalFiles.consolePart), options.limitBytes);
  }

  follow(source: ConsoleSource): void {
    if (this.#channels.length > 0) return;
    const files =
      source.kind === "files"
        ? source.files
        : source.kind === "spool"
          ? [{ path: join(this.#options.folder, journalFiles.console), offset: 0 }]
          : [];
    const { createMasker, createReader } = this.#options;
    this.#channels = files.flatMap(({ path, offset }, index) => {
      const file = this.#open(path, offset);
      const ownLines = new OwnLineFilter(join(this.#options.folder, journalFiles.ownLines));
      if (file === undefined) return [];
      return [{ file, ownLines, masker: createMasker(), reader: createReader?.(index) }];
    });
    if (this.#channels.length > 0) this.#pollLater();
  }

  #open(path: string, offset: number): OutputFile | undefined {
    const { folder, limitBytes } = this.#options;
    const isSpool = path === join(folder, journalFiles.console);
    return isSpool ? openSegments(path, consoleSegmentBytes(limitBytes)) : openOutput(path, offset);
  }

  /**
   * Reads to the end and closes. The path of the log in the journal folder, under a name of its own: an earlier one may still
   * be on its way into the store. `undefined` when there is nothing to store.
   */
  async finish(): Promise<string | undefined> {
    this.#isFinished = true;
    clearTimeout(this.#timer);
    await this.#reading;
    await this.#read(Number.POSITIVE_INFINITY);
    for (const channel of this.#channels) {
      this.#hand(channel, channel.masker.push(channel.ownLines.end()));
      this.#hand(channel, channel.masker.end());
      channel.reader?.finish();
    }
    this.#close();
    try {
      if (!this.#output.finish()) return undefined;
      const spoolPath = `${journalFiles.spool}/console-${randomHex(6)}.log`;
      renameSync(join(this.#options.folder, journalFiles.consolePart), join(this.#options.folder, spoolPath));
      return spoolPath;
    } catch (error) {
      this.#break(error);
      return undefined;
    }
  }

  /** Bytes of the log so far; 0 once its middle is left out. */
  get size(): number {
    return this.#output.wholeBytes ?? 0;
  }

  /** The path of a copy of the log so far in the journal folder; `undefined` where the disk refuses it. */
  async copy(): Promise<string | undefined> {
    const spoolPath = `${journalFiles.spool}/console-${randomHex(6)}.log`;
    try {
      const { folder } = this.#options;
      await copyFile(join(folder, journalFiles.consolePart), join(folder, spoolPath), constants.COPYFILE_FICLONE);
      return spoolPath;
    } catch (error) {
      // The whole log comes at the end all the same.
      if (!(error instanceof Error && "code" in error)) throw error;
      return undefined;
    }
  }

  /** How far the output was read when it was finished. */
  get ends(): readonly OutputEnd[] {
    return this.#ends;
  }

  /** A command that says nothing is looked at less often. */
  #pollLater(): void {
    if (this.#isFinished) return;
    this.#timer = setTimeout(() => this.#poll(), this.#quietPolls < quietPollsAllowed ? pollMs : quietPollMs).unref();
  }

  #poll(): void {
    const before = this.#position();
    const budget = this.#options.createReader === undefined ? pollBytes : readerPollBytes;
    this.#reading = this.#read(budget).then(() => {
      this.#quietPolls = this.#position() === before ? this.#quietPolls + 1 : 0;
      this.#pollLater();
    });
  }

  #position(): number {
    return this.#channels.reduce((sum, { file }) => sum + file.offset, 0);
  }

  /** Reads to where the files end now, `budget` bytes at most, in slices that leave time for everything else. */
  async #read(budget: number): Promise<void> {
    const ends = new Map(this.#channels.map((channel) => [channel, this.#measure(channel)]));
    for (const { ownLines } of this.#channels) this.#try(() => ownLines.refresh());
    let left = budget;
    for (let isDone = false; !isDone && left > 0 && !this.#isBroken;) {
      isDone = true;
      for (const [channel, end] of ends) {
        const count = this.#readSlice(channel, end);
        left -= count;
        if (count > 0) isDone = false;
      }
      if (!isDone) await (this.#options.congestion?.() ?? new Promise(setImmediate));
    }
  }

  #measure({ file }: Channel): number {
    return this.#try(() => file.measure()) ?? file.offset;
  }

  #readSlice(channel: Channel, end: number): number {
    const { file, ownLines } = channel;
    if (file.offset >= end) return 0;
    return (
      this.#try(() => {
        this.#skipMiddle(channel, end);
        const count = file.read(this.#buffer, Math.min(readBytes, nextStop(channel, end) - file.offset));
        this.#hand(channel, channel.masker.push(ownLines.push(this.#buffer.subarray(0, count))));
        return count;
      }) ?? 0
    );
  }

  /** What would be left out of the log all the same is not even read; some of it may be gone already. */
  #skipMiddle(channel: Channel, end: number): void {
    const { file } = channel;
    let skipped = file.skipMissing();
    const isNeeded = channel.reader !== undefined;
    const needless = isNeeded ? 0 : end - file.offset - this.#output.tailLimitBytes - consoleMarginBytes;
    if (needless > 0 && (this.#output.isHeadFull || skipped > 0)) {
      file.skip(needless);
      skipped += needless + file.skipMissing();
    }
    if (skipped === 0) return;
    channel.ownLines.end();
    channel.masker.end();
    channel.masker = this.#options.createMasker();
    this.#output.skip(skipped);
    channel.reader?.skipped(file.offset);
  }

  #hand({ file, reader }: Channel, bytes: Buffer): void {
    this.#keep(bytes);
    reader?.push(bytes, file.offset);
  }

  #keep(bytes: Buffer): void {
    if (!this.#isBroken && bytes.length > 0) this.#try(() => this.#output.append(bytes));
  }

  #try<Value>(action: () => Value): Value | undefined {
    try {
      return action();
    } catch (error) {
      this.#break(error);
      return undefined;
    }
  }

  // A full or broken disk ends the capture and nothing else.
  #break(error: unknown): void {
    if (this.#isBroken) return;
    this.#isBroken = true;
    const reason = error instanceof Error ? error.message : String(error);
    this.#options.onNotice(`the console log is incomplete: ${reason}`);
  }

  #close(): void {
    for (const { file } of this.#channels) file.close();
    this.#ends = this.#channels.map(({ file }) => file.end);
    this.#channels = [];
  }
}

function nextStop({ file, reader }: Channel, end: number): number {
  return reader !== undefined && reader.border > file.offset ? Math.min(reader.border, end) : end;
}

/** Whether something was written behind `ends`, but for lines of our own in a file that is our stderr as well. */
export function hasMoreOutput(ends: readonly OutputEnd[]): boolean {
  return ends.some(({ path, offset }) => {
    const fd = openOrUndefined(path);
    if (fd === undefined) return false;
    const buffer = Buffer.allocUnsafe(64 * 1024);
    const count = readSync(fd, buffer, 0, buffer.length, offset);
    closeSync(fd);
    return buffer
      .toString("latin1", 0, count)
      .split("\n")
      .some((line) => line !== "" && !line.startsWith("track: "));
  });
}

/** Where the masked log of a run lies while it grows, the newest part first; not all of these files are always there. */
export function growingLogFiles(folder: string): readonly string[] {
  const path = join(folder, journalFiles.consolePart);
  return [`${path}.tail`, `${path}.tail-old`, path];
}

/** The masked part of a log that a dead recorder had written, as a spool file of its own; `undefined` where there is none. */
export function takeMaskedPart(folder: string): string | undefined {
  const part = join(folder, journalFiles.consolePart);
  if (!existsSync(part)) return undefined;
  const spoolPath = `${journalFiles.spool}/console-${randomHex(6)}.log`;
  renameSync(part, join(folder, spoolPath));
  return spoolPath;
}
