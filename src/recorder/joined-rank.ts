import type { JournalHeader } from "../wire/journal-header.ts";

/** Of a rank that joins rank 0's run: what tells of the run's life and of how it came about is not its own to say. */
export function joinedRank({ rank }: Pick<JournalHeader, "rank">): number | undefined {
  const index = rank?.index ?? 0;
  return index > 0 ? index : undefined;
}
