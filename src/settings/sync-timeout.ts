import { invalidParameter, UsageError } from "../errors.ts";
import { parseDuration } from "../util/duration.ts";
import { type Environment, variable } from "./tracking-uri.ts";

/** How long the end of a command, or of a program, waits for the store where nobody says otherwise. */
export const usualSyncTimeoutMs = 30_000;

export const syncTimeoutVariable = "TRACK_SYNC_TIMEOUT";

/** ms; `undefined` where the variable is not set. Throws `UsageError` (exit 125) for what is no duration. */
export function syncTimeoutOf(env: Environment): number | undefined {
  const text = variable(env, syncTimeoutVariable);
  if (text === undefined) return undefined;
  const ms = parseDuration(text);
  if (ms !== undefined) return ms;
  const message = `${syncTimeoutVariable} is not a duration: ${text}`;
  throw new UsageError(message, {
    exitCode: 125,
    hint: "write 90, 90s, 5m, 1h30m, 2d or 500ms",
    cause: invalidParameter(message),
  });
}
