import { open } from "node:fs/promises";
import { resolve } from "node:path";
import { TrackError } from "../errors.ts";
import { lineFaultError } from "../intake/line-fault.ts";
import { type LineFault, LineSplitter } from "../intake/line-splitter.ts";
import { hasCode, messageOf } from "../util/error-code.ts";
import type { LineAnswer, LogTarget } from "./log-target.ts";

/** Lines on their way at once: a round trip for each would make a million of them slow. */
const windowLines = 512;

export interface BatchResult {
  readonly lineCount: number;
  readonly refused: number;
  readonly first?: { readonly line: number; readonly message: string };
}

/** Sends every line of `input` in order, the last one with or without newline; good lines stay when others are refused. */
export async function sendBatch(
  target: LogTarget,
  input: AsyncIterable<Uint8Array>,
  complete: (text: string) => string,
): Promise<BatchResult> {
  const sender = new LineSender(target, complete);
  const splitter = new LineSplitter();
  for await (const chunk of input) {
    splitter.push(Buffer.from(chunk));
    for (let line = splitter.next(); line !== undefined; line = splitter.next()) await sender.send(line);
  }
  const last = splitter.finish();
  if (last !== undefined) await sender.send(last);
  await sender.settle();
  await target.finish();
  return sender.result;
}

/** Chunks of a file; one that cannot be read is a `TrackError`. */
export async function* readFileChunks(cwd: string, path: string): AsyncGenerator<Uint8Array> {
  try {
    await using file = await open(resolve(cwd, path));
    yield* file.createReadStream();
  } catch (error) {
    if (!hasCode(error, "ENOENT", "EACCES", "EISDIR", "ENOTDIR", "EIO")) throw error;
    throw new TrackError(`cannot read ${path}: ${messageOf(error)}`, { cause: error });
  }
}

class LineSender {
  readonly #target: LogTarget;
  readonly #complete: (text: string) => string;
  readonly #onTheWay: Promise<void>[] = [];
  #lineNumber = 0;
  #lineCount = 0;
  #refused = 0;
  #first: { readonly line: number; readonly message: string } | undefined;

  constructor(target: LogTarget, complete: (text: string) => string) {
    this.#target = target;
    this.#complete = complete;
  }

  get result(): BatchResult {
    return { lineCount: this.#lineCount, refused: this.#refused, ...(this.#first && { first: this.#first }) };
  }

  async send(line: string | LineFault): Promise<void> {
    this.#lineNumber += 1;
    const number = this.#lineNumber;
    if (typeof line === "string" && line.trim() === "") return;
    this.#lineCount += 1;
    if (typeof line !== "string") return this.#note(number, { ok: false, message: lineFaultError(line).message });
    const sent = this.#target.send(this.#complete(line)).then((answer) => this.#note(number, answer));
    // Awaited in order below; until then a failure must not count as unhandled.
    sent.catch(() => {});
    this.#onTheWay.push(sent);
    if (this.#onTheWay.length >= windowLines) await this.settle();
  }

  async settle(): Promise<void> {
    await Promise.all(this.#onTheWay.splice(0));
  }

  #note(line: number, answer: LineAnswer): void {
    if (answer.ok) return;
    this.#refused += 1;
    if (this.#first === undefined || line < this.#first.line) this.#first = { line, message: answer.message };
  }
}
