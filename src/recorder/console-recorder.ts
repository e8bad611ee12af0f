import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import { hasCode } from "../util/error-code.ts";
import type { StreamMasker } from "../wire/redact.ts";
import type { ConsoleSource } from "../wire/control-messages.ts";
import { journalFiles } from "../wire/journal-header.ts";
import { CappedFile } from "./capped-file.ts";

/** Where the masked log lies in the journal folder until it is stored. */
export const consoleSpoolPath = `${journalFiles.spool}/console.log`;

interface Channel {
  readonly fd: number;
  offset: number;
  readonly masker: StreamMasker;
}

export interface ConsoleRecorderOptions {
  readonly folder: string;
  readonly limitBytes: number;
  createMasker(): StreamMasker;
  /** One line for the user. */
  onNotice(text: string): void;
}

const pollMs = 200;
const readBytes = 256 * 1024;

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
  #isBroken = false;

  constructor(options: ConsoleRecorderOptions) {
    this.#options = options;
    this.#output = new CappedFile(join(options.folder, consoleSpoolPath), options.limitBytes);
  }

  follow(source: ConsoleSource): void {
    if (this.#channels.length > 0) return;
    const files =
      source.kind === "files"
        ? source.files
        : source.kind === "spool"
          ? [{ path: join(this.#options.folder, journalFiles.console), offset: 0 }]
          : [];
    this.#channels = files.flatMap(({ path, offset }) => {
      const fd = openOrUndefined(path);
      return fd === undefined ? [] : [{ fd, offset, masker: this.#options.createMasker() }];
    });
    if (this.#channels.length > 0) this.#timer = setInterval(() => this.#readAll(), pollMs).unref();
  }

  /** Reads to the end and closes; true when there is a log to store. */
  finish(): boolean {
    clearInterval(this.#timer);
    this.#readAll();
    for (const channel of this.#channels) this.#keep(channel.masker.end());
    this.#close();
    try {
      return this.#output.finish();
    } catch (error) {
      this.#break(error);
      return false;
    }
  }

  #readAll(): void {
    for (const channel of this.#channels) this.#readChannel(channel);
  }

  #readChannel(channel: Channel): void {
    try {
      // A file that another hand cut short (`> log`) is read from where it now ends.
      const { size } = fstatSync(channel.fd);
      if (size < channel.offset) channel.offset = size;
      for (;;) {
        const count = readSync(channel.fd, this.#buffer, 0, readBytes, channel.offset);
        if (count === 0) return;
        channel.offset += count;
        this.#keep(channel.masker.push(this.#buffer.subarray(0, count)));
      }
    } catch (error) {
      this.#break(error);
    }
  }

  #keep(bytes: Buffer): void {
    if (this.#isBroken || bytes.length === 0) return;
    try {
      this.#output.append(bytes);
    } catch (error) {
      this.#break(error);
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
    for (const { fd } of this.#channels) closeSync(fd);
    this.#channels = [];
  }
}

function openOrUndefined(path: string): number | undefined {
  try {
    return openSync(path, "r");
  } catch (error) {
    if (hasCode(error, "ENOENT", "EACCES", "EPERM", "ENXIO", "ENOTDIR")) return undefined;
    throw error;
  }
}
