import { UsageError } from "../../errors.ts";
import { commandTable, groupSummaries } from "../command-table.ts";
import { completionScripts } from "../completion/completion-scripts.ts";
import { findCandidates } from "../completion/find-candidates.ts";
import { shells } from "../completion/shells.ts";
import type { Context } from "../context.ts";
import { formatCell } from "../format-cell.ts";
import { openForListing } from "../open-for-reading.ts";

/** Prints the script that teaches a shell to complete `track`. */
export function completion(context: Context, name: string): void {
  const shell = shells.find((one) => one === name);
  if (shell === undefined) throw new UsageError(`no completion for ${name}`, { hint: `one of ${shells.join(", ")}` });
  context.io.out(completionScripts[shell]);
}

/** Prints what the last word may become, `value<TAB>description` a line: what the scripts ask for at each Tab. */
export async function candidates(context: Context, args: readonly string[]): Promise<void> {
  const found = await findCandidates({
    table: commandTable,
    groups: groupSummaries,
    words: args.slice(0, -1),
    current: args.at(-1) ?? "",
    openStore: () => openForListing(context),
  });
  for (const { value, description = "" } of found) {
    // A name with a line break in it cannot be offered.
    if (/[\t\n]/u.test(value)) continue;
    context.io.out(`${value}${description === "" ? "" : `\t${formatCell(description)}`}\n`);
  }
}
