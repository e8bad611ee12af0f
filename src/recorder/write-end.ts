import { isTerminalStatus } from "../entities/run-status.ts";
import type { Tag } from "../entities/tag.ts";
import { rankEndTags } from "../journal/group-status.ts";
import { type AttemptEnd, finalStatus } from "../wire/final-status.ts";
import { joinedRank } from "./joined-rank.ts";
import type { LifeTags } from "./life-tags.ts";
import { removeLifeTags } from "./program-life.ts";
import type { Recording } from "./recording.ts";

/** How an attempt ended, and what is to be written of it. */
export interface EndToWrite {
  readonly end: AttemptEnd;
  readonly endTime: number;
  readonly summaryTags: readonly Tag[];
  readonly lifeTags: LifeTags;
}

/** The last words of an attempt: its tags, and behind them the final status. */
export function writeEnd(recording: Recording, { end, endTime, summaryTags, lifeTags }: EndToWrite): void {
  const { live, memo, header } = recording;
  const { runId } = header;
  const final = finalStatus(end);
  const said = memo.scriptStatus ?? "RUNNING";
  const isSaid = final.isScriptStatusKept && isTerminalStatus(said);
  const status = isSaid ? said : final.status;
  const rank = joinedRank(header);
  if (rank !== undefined) {
    recording.logTags(rankEndTags(rank, status, final.tags));
    live.write({ op: "update-run", runId, status, share: "joined" });
    return;
  }
  recording.logTags([...summaryTags, ...final.tags]);
  lifeTags.remove();
  live.write({
    op: "update-run",
    runId,
    status,
    ...(header.rank !== undefined && { share: "owner" as const }),
    ...(final.isScriptStatusKept && !isSaid && { unlessTerminal: true }),
    endTime,
  });
}

/**
 * Nobody is left who could end the runs that the command has created: they end as it did. Those of a program that uses the library
 * tell why as well, since no other run does.
 */
export function endOpenRuns(recording: Recording, end: AttemptEnd, endTime: number): void {
  const { openRuns, live, header } = recording;
  const { status, tags } = finalStatus(end);
  const isTold = header.kind === "program" && status !== "FINISHED";
  for (const runId of openRuns.running) {
    removeLifeTags(recording, runId);
    if (isTold) live.writeRequest(runId, { tags });
    live.write({ op: "update-run", runId, status, endTime });
  }
}

/** In ms since the epoch. */
export function endTimeOf({ earlier, header }: Recording, end: AttemptEnd, now: number): number {
  const endTime = "endTime" in end ? end.endTime : end.missing === "lost" ? earlier.lastSaidAt : now;
  // A clock that was set back must not end a run before it began.
  return Math.max(endTime, header.startTime);
}
