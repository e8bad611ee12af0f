import type { JournalHeader } from "../wire/journal-header.ts";
import { joinedRank } from "./joined-rank.ts";
import type { LiveRun } from "./live-run.ts";

/** The first words of an attempt's journal: what creates the run, continues it, or joins that of rank 0. */
export function beginRun(header: JournalHeader, live: LiveRun): void {
  const { runId, rank, startTime, command, params } = header;
  if (rank !== undefined && joinedRank(header) !== undefined) {
    if (!rank.isRunKnown) live.write({ op: "join-run", runId, group: rank.group, startTime, command });
    return;
  }
  if (header.isResumed) continueRun(header, live);
  else {
    const { createId, experiment, runName = "", userId, tags } = header;
    live.write({ op: "create-run", runId, createId, experiment, runName, userId, startTime, tags });
  }
  if (params.length > 0) live.write({ op: "log-batch", runId, params });
}

function continueRun({ runId, runName, staleTags, tags }: JournalHeader, live: LiveRun): void {
  live.write({
    op: "update-run",
    runId,
    status: "RUNNING",
    endTime: null,
    ...(runName !== undefined && { runName }),
  });
  for (const key of staleTags) live.write({ op: "delete-tag", runId, key });
  if (tags.length > 0) live.write({ op: "log-batch", runId, tags });
}
