import { fstatSync, writeSync } from "node:fs";
import type { styleText } from "node:util";
import { TrackError } from "../errors.ts";
import type { Environment } from "../settings/tracking-uri.ts";
import { hasCode, messageOf } from "../util/error-code.ts";

export type Style = Parameters<typeof styleText>[0];

/**
 * Where a command speaks. stdout carries the answer alone; everything that `track` says of itself goes to stderr.
 * Never touches process.stdin/stdout/stderr on the way of `run`: Node would make the shared descriptions non-blocking.
 */
export interface Io {
  /** stdout is a terminal. */
  readonly isTerminal: boolean;
  /** stderr is a terminal. */
  readonly isErrTerminal: boolean;
  /** Width of the terminal behind stdout; `COLUMNS` wins; 80 where it is unknown. */
  readonly columns: number;
  /** Height of the terminal behind stdout; `LINES` wins; 24 where it is unknown. */
  readonly rows: number;
  /** The locale's text is UTF-8, so that a terminal can be trusted with braille and box drawing. */
  readonly isUtf8: boolean;
  /** Writes to stdout as it is; throws `OutputClosedError` once nobody reads any more. */
  out(text: string | Uint8Array): void;
  /** Writes to stderr as it is; a stderr that cannot be written is not worth an error. */
  err(text: string): void;
  /** One line `track: <message>` on stderr. */
  say(message: string): void;
  /** `text` in colour, where stdout is to be coloured (FORCE_COLOR, NO_COLOR, TERM, terminal). */
  style(style: Style, text: string): string;
}

/** The reader of stdout went away (`track ls | head -1`): nothing to tell, nothing more to do. */
export class OutputClosedError extends Error {}

/** The process's own descriptors 1 and 2. Looks at nothing before it is asked. */
export function createIo(env: Environment): Io {
  const isTerminal = once(() => isTerminalFd(1));
  const hasColour = once(() => decideColour(env, isTerminal()));
  return {
    get isTerminal() {
      return isTerminal();
    },
    get isErrTerminal() {
      return isTerminalFd(2);
    },
    get columns() {
      return positiveInteger(env["COLUMNS"]) ?? (isTerminal() ? process.stdout.columns : undefined) ?? 80;
    },
    get rows() {
      return positiveInteger(env["LINES"]) ?? (isTerminal() ? process.stdout.rows : undefined) ?? 24;
    },
    get isUtf8() {
      return decideUtf8(env);
    },
    out: writeOut,
    err: writeErr,
    say: (message) => writeErr(`track: ${oneLine(message)}\n`),
    style: (style, text) => (hasColour() ? colour(style, text) : text),
  };
}

/** Every colour library's rule: FORCE_COLOR, then NO_COLOR, then the terminal. An empty variable counts as not set. */
export function decideColour(env: Environment, isTerminal: boolean): boolean {
  const force = env["FORCE_COLOR"] ?? "";
  if (force !== "") return force !== "0" && force !== "false";
  if ((env["NO_COLOR"] ?? "") !== "") return false;
  return isTerminal && env["TERM"] !== "dumb";
}

/** POSIX's order: LC_ALL, LC_CTYPE, LANG; the first that is set and not empty decides, none is the C locale. */
export function decideUtf8(env: Environment): boolean {
  const locale = [env["LC_ALL"], env["LC_CTYPE"], env["LANG"]].find((value) => (value ?? "") !== "");
  return /utf-?8/iu.test(locale ?? "");
}

/** `text` without line breaks and terminal control sequences, as a line of ours may show it. */
export function oneLine(text: string): string {
  return text.replaceAll(/\s*\n\s*/gu, " ").replaceAll(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/gu, "?");
}

/** An `import` of node:util reads all of its lazy parts, worker threads among them, which costs 2 ms at every start. */
function colour(style: Style, text: string): string {
  return process.getBuiltinModule("node:util").styleText(style, text, { validateStream: false });
}

function writeOut(text: string | Uint8Array): void {
  try {
    writeFully(1, text);
  } catch (error) {
    if (hasCode(error, "EPIPE")) throw new OutputClosedError();
    throw new TrackError(`cannot write to stdout: ${messageOf(error)}`, { cause: error });
  }
}

function writeErr(text: string): void {
  try {
    writeFully(2, text);
  } catch (error) {
    if (!hasCode(error, "EPIPE", "EBADF", "ENOSPC", "EIO")) throw error;
  }
}

/** A descriptor that another process made non-blocking answers EAGAIN while its reader is slow: wait, then go on. */
function writeFully(fd: number, text: string | Uint8Array): void {
  const bytes = typeof text === "string" ? Buffer.from(text) : text;
  let written = 0;
  while (written < bytes.length) {
    try {
      written += writeSync(fd, bytes, written);
    } catch (error) {
      if (!hasCode(error, "EAGAIN", "EINTR")) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}

/** Loading node:tty costs 2.6 ms, so files, pipes and /dev/null (device 1, 3) are told apart without it. */
function isTerminalFd(fd: number): boolean {
  try {
    const stat = fstatSync(fd);
    if (!stat.isCharacterDevice() || stat.rdev >> 8 === 1) return false;
  } catch (error) {
    if (hasCode(error, "EBADF")) return false;
    throw error;
  }
  return process.getBuiltinModule("node:tty").isatty(fd);
}

function positiveInteger(text: string | undefined): number | undefined {
  return text !== undefined && /^[1-9]\d{0,4}$/u.test(text) ? Number(text) : undefined;
}

function once<Value>(read: () => Value): () => Value {
  let value: { readonly it: Value } | undefined;
  return () => (value ??= { it: read() }).it;
}
