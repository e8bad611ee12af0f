import { TrackError } from "../errors.ts";
import type { Environment } from "../settings/tracking-uri.ts";
import { type Io, oneLine } from "./io.ts";

/** One line that says what failed, one that says what to type; a stack only with TRACK_DEBUG=1. */
export function tellError({ io, env }: { readonly io: Io; readonly env: Environment }, error: unknown): void {
  const isExpected = error instanceof TrackError;
  io.say(error instanceof Error ? error.message : String(error));
  if (!isExpected) io.err("hint: this is a bug in track; TRACK_DEBUG=1 shows where\n");
  else if (error.hint !== undefined) io.err(`hint: ${oneLine(error.hint)}\n`);
  if (env["TRACK_DEBUG"] === "1" && error instanceof Error) io.err(`${stackOf(error)}\n`);
}

function stackOf(error: Error): string {
  const cause = error.cause instanceof Error ? `\ncaused by ${stackOf(error.cause)}` : "";
  return `${error.stack ?? error.message}${cause}`;
}
