import { BadLineError } from "./bad-line.ts";
import { type LineFault, lineLimitBytes } from "./line-splitter.ts";

/** Why a line that is no text was not taken. */
export function lineFaultError({ fault }: LineFault): BadLineError {
  return fault === "too-long"
    ? new BadLineError("too-long", `a line of more than ${lineLimitBytes} bytes was skipped`)
    : new BadLineError("no-object", "the line is no valid UTF-8");
}
