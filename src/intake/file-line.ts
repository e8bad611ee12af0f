import type { LogRecord } from "../entities/log-record.ts";
import { BadLineError } from "./bad-line.ts";
import { parseLine } from "./record-parser.ts";
import { parseWords } from "./word-parser.ts";

/**
 * Parses one line of the append file: an NDJSON object as on the socket, or words. `undefined` where there is nothing
 * to record: a blank line, or a flush, which a file has no need of. Throws `BadLineError`.
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
      return undefined;
    case "get":
      throw new BadLineError("bad-value", 'a file cannot answer "get": ask the socket');
    case "bad":
      throw new BadLineError(request.reason, request.message, request.code);
  }
}
