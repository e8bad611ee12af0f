import type { Io } from "./io.ts";

/** Writes one JSON document: indented on a terminal, one line in a pipe. */
export function writeJson(io: Io, document: unknown): void {
  io.out(`${io.isTerminal ? JSON.stringify(document, undefined, 2) : JSON.stringify(document)}\n`);
}
