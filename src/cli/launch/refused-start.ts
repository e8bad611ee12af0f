import { TrackError } from "../../errors.ts";

/** What a start with `--strict` stumbles over. */
export const refusedStart = (message: string): TrackError =>
  new TrackError(message, { exitCode: 125, hint: "mend it, or leave out --strict" });
