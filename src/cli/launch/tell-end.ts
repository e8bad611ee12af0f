import { writeFileSync } from "node:fs";
import type { RunSettings } from "../../settings/run-settings.ts";
import { messageOf } from "../../util/error-code.ts";
import type { JournalHeader } from "../../wire/journal-header.ts";
import type { RunCommandResult } from "../../wrapper/run-command.ts";
import type { Context } from "../context.ts";
import { closingLine, summaryJson } from "./closing-line.ts";
import type { Say } from "./launch-notices.ts";

/** A run whose command is over. */
export interface End {
  readonly settings: RunSettings;
  readonly header: JournalHeader;
  readonly result: RunCommandResult;
  readonly say: Say;
  readonly isRecorded: boolean;
}

/** Says the closing line and writes `--summary-file`: the command's exit code does not change for what fails here. */
export function tellEnd(context: Context, { settings, header, result, say, isRecorded }: End): void {
  const { io } = context;
  const isSilent = settings.quiet || !isRecorded;
  // A shell would have said that.
  if (isSilent && result.outcome.kind === "spawn-failed") io.say(result.outcome.message);
  try {
    const now = context.now();
    // Rank 0 speaks for all that went well.
    const isSpokenFor = (header.rank?.index ?? 0) > 0 && result.status === "FINISHED" && result.isStored;
    if (!isSilent && !isSpokenFor) say(closingLine(result, header, { isTerminal: io.isErrTerminal, now }));
    if (settings.summaryFile !== undefined) writeFileSync(settings.summaryFile, summaryJson(result, header, now));
  } catch (error) {
    io.say(`cannot write the summary: ${messageOf(error)}`);
  }
}
