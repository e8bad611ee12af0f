import { dirname } from "node:path";
import { readPlace } from "../util/proc.ts";
import type { JournalHeader } from "../wire/journal-header.ts";
import { findDeadJournals } from "./dead-journals.ts";

/** What the repair of other runs may take. */
export const repairBudgetMs = 60_000;

/** Finishes runs beside this one whose processes are dead. Never rejects; loads nothing where there are none. */
export async function repairBeside(
  journalFolder: string,
  header: JournalHeader | undefined,
  env: Readonly<Record<string, string | undefined>>,
): Promise<void> {
  const roots = [dirname(journalFolder)];
  const here = readPlace();
  try {
    if (findDeadJournals(roots, here).length > 0) {
      const { repairJournals } = await import("./repair.ts");
      await repairJournals({ roots, env, here, budgetMs: repairBudgetMs, onNotice: () => {}, now: Date.now });
    }
    if (header !== undefined) await (await import("./lost-runs.ts")).endLostRunsBeside(header, env, { here, roots });
  } catch {
    // Somebody else's run must not end the recording of ours; the next command tries again and tells what it meets.
  }
}
