import type { Run } from "../../entities/run.ts";
import { attemptTag, mlflowTags, rankTagPattern, trackTags } from "../../entities/tag-keys.ts";
import type { Param } from "../../entities/param.ts";
import type { Tag } from "../../entities/tag.ts";
import { tagOf } from "../../wire/run-processes.ts";

/** Number of a run's latest attempt. A run that `track` did not make had one. */
export const attemptOf = (run: Run): number => Number(tagOf(run, trackTags.attempt)) || 1;

/** Number of the attempt that a continued run begins now. */
export const nextAttempt = (run: Run): number => attemptOf(run) + 1;

/** Tags of the ended attempt that must not seem to be the new one's. */
export function staleTags(run: Run): readonly string[] {
  const keys = [
    trackTags.exitCode,
    trackTags.signal,
    trackTags.endReason,
    trackTags.process,
    trackTags.heartbeat,
    trackTags.rankGroup,
    trackTags.gitDiffTruncated,
    trackTags.gitUntrackedTruncated,
  ];
  const ofRanks = run.data.tags.map(({ key }) => key).filter((key) => rankTagPattern.test(key));
  return [...keys.filter((key) => tagOf(run, key) !== undefined), ...ofRanks];
}

/** What the ended attempt had, as `track.attempt.<n>.<key>` (records.md). */
export function endedAttemptTags(run: Run): readonly Tag[] {
  const attempt = nextAttempt(run) - 1;
  const heartbeat = tagOf(run, trackTags.heartbeat);
  // Nobody has ended it, and it is not alive: it was lost with its host or container.
  const isLost = run.info.status === "RUNNING" && heartbeat !== undefined;
  const values: Record<string, string | undefined> = {
    exit_code: tagOf(run, trackTags.exitCode),
    signal: tagOf(run, trackTags.signal),
    end_reason: isLost ? "lost" : tagOf(run, trackTags.endReason),
    start_time: tagOf(run, trackTags.attemptStartTime) ?? String(run.info.startTime),
    end_time: isLost ? heartbeat : run.info.endTime === undefined ? undefined : String(run.info.endTime),
    status: isLost ? "KILLED" : run.info.status,
    "git.commit": tagOf(run, mlflowTags.gitCommit),
    rank_group: tagOf(run, trackTags.rankGroup),
    ...rankValues(run),
  };
  return Object.entries(values)
    .filter((entry): entry is [string, string] => entry[1] !== undefined)
    .map(([key, value]) => ({ key: attemptTag(attempt, key), value }));
}

/** Params are written once: one that now differs is kept as a tag of the new attempt. */
export function splitParams(run: Run, params: readonly Param[]): { params: readonly Param[]; tags: readonly Tag[] } {
  const known = new Map(run.data.params.map(({ key, value }) => [key, value]));
  const attempt = nextAttempt(run);
  return {
    params: params.filter(({ key }) => !known.has(key)),
    tags: params
      .filter(({ key, value }) => known.has(key) && known.get(key) !== value)
      .map(({ key, value }) => ({ key: attemptTag(attempt, `param.${key}`), value })),
  };
}

/** What its ranks had that did not end well, as `rank.<n>.<key>`. */
function rankValues(run: Run): Record<string, string> {
  const found = run.data.tags.map(({ key, value }) => ({ match: rankTagPattern.exec(key), value }));
  return Object.fromEntries(
    found.flatMap(({ match, value }) => (match === null ? [] : [[`rank.${match[1]}.${match[2]}`, value]])),
  );
}
