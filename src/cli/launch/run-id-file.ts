import { writeFileSync } from "node:fs";
import { TrackError } from "../../errors.ts";
import { messageOf } from "../../util/error-code.ts";

/** A file that cannot be written is a mistake that shows before the command has cost anything. */
export function writeRunId(path: string, runId: string): void {
  try {
    writeFileSync(path, `${runId}\n`);
  } catch (error) {
    throw new TrackError(`cannot write the run id: ${messageOf(error)}`, {
      exitCode: 125,
      hint: "check --run-id-file",
      cause: error,
    });
  }
}
