import type { Run } from "../entities/run.ts";
import { isTerminalStatus } from "../entities/run-status.ts";
import { attemptTag, trackTags } from "../entities/tag-keys.ts";
import { withoutRankWords } from "../util/rank-words.ts";
import { tagOf } from "../wire/run-processes.ts";
import { findTaggedRuns } from "./find-tagged-runs.ts";
import type { TrackingStore } from "./tracking-store.ts";

export interface GroupRunQuery {
  /** The tag `track.rank_group`. */
  readonly group: string;
  /** Of the rank that asks, secrets masked. */
  readonly command: readonly string[];
  /** When the rank that asks was started, ms since the epoch. */
  readonly startTime: number;
  readonly now: number;
  /** Absent: all active ones. */
  readonly experimentId?: string;
}

/** Ranks of one start come within this, and their clocks agree within it. */
const togetherMs = 600_000;
/** So long a rank that finds only a run which had ended before waits for a newer one: a step may run its command twice. */
const settledMs = 5000;
/** The same where the run is of other words: a step may run several commands, and rank 0 be the last to leave one. */
const otherWordsMs = 60_000;

/** The run that the first rank of this start has made or goes on with; `undefined` while it is not there. */
export async function findGroupRun(store: TrackingStore, query: GroupRunQuery): Promise<Run | undefined> {
  const { group, experimentId } = query;
  const found = await findTaggedRuns(store, { key: trackTags.rankGroup, value: group }, experimentId);
  const words = JSON.stringify(withoutRankWords(query.command));
  const isOfSameWords = new Map(found.map((run) => [run, wordsOf(run) === words]));
  const ofThisStart = found
    .filter((run) => isOfThisStart(run, query, isOfSameWords.get(run) === true))
    .toSorted((one, other) => attemptStart(other) - attemptStart(one));
  return ofThisStart.find((run) => isOfSameWords.get(run) === true) ?? ofThisStart[0];
}

const attemptsLookedAt = 5;

/** The same for a rank whose journal comes late: the run may be at its next attempt by now. */
export async function findEarlierGroupRun(store: TrackingStore, group: string): Promise<Run | undefined> {
  for (let attempt = 1; attempt <= attemptsLookedAt; attempt += 1) {
    const [run] = await findTaggedRuns(store, { key: attemptTag(attempt, "rank_group"), value: group });
    if (run !== undefined) return run;
  }
  return undefined;
}

function isOfThisStart(run: Run, { startTime, now }: GroupRunQuery, isOfSameWords: boolean): boolean {
  if (attemptStart(run) < startTime - togetherMs) return false;
  if (!isOfSameWords) return now - startTime >= otherWordsMs;
  return now - startTime >= settledMs || !isTerminalStatus(run.info.status) || (run.info.endTime ?? 0) >= startTime;
}

function attemptStart(run: Run): number {
  return Number(tagOf(run, trackTags.attemptStartTime)) || run.info.startTime;
}

/** `undefined` for a run without a command, or with one that was cut. */
function wordsOf(run: Run): string | undefined {
  try {
    const value: unknown = JSON.parse(tagOf(run, trackTags.command) ?? "");
    return Array.isArray(value) ? JSON.stringify(withoutRankWords(value.map(String))) : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
