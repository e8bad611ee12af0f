import type { LogRecord } from "../entities/log-record.ts";
import { BadLineError } from "./bad-line.ts";
import { parseLine } from "./record-parser.ts";
import { parseWords } from "./word-parser.ts";

/** The pid of `{"shell_pid":1234}`, by which a shell says that its run shares its life; `undefined` for any other line. */
export function parseShellPid(line: string): number | undefined {
  const pid = /^\s*\{"shell_pid":(\d{1,10})\}\s*$/u.exec(line)?.[1];
  return pid === undefined ? undefined : Number(pid);
}

/**
 * Parses one line of the append file: an NDJSON object as on the socket, or words. `undefined` where there is nothing
 * to record: a blank line, or a flush, which a file has no need of, or what is only for a recorder that lives. Throws `BadLineError`.
 */
export function parseFileLine(line: string): LogRecord | undefined {
  const text = line.trim();
  if (text === "") return undefined;
  if (!text.startsWith("{")) return parseWords(text);
  const request = parseLine(text);
  switch (request.kind) {
    case "record":
      return request.record;
    case "flush":
    // Said at the end of a program, when there is nothing to sample any more.
    case "sampling":
      return undefined;
    case "get":
      throw new BadLineError("bad-value", 'a file cannot answer "get": ask the socket');
    case "end":
      throw new BadLineError("bad-value", 'a file cannot answer "end": ask the socket');
    case "bad":
      throw new BadLineError(request.reason, request.message, request.code);
  }
}
