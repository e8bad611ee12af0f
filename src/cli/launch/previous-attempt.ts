import type { Run } from "../../entities/run.ts";
import { attemptTag, mlflowTags, trackTags } from "../../entities/tag-keys.ts";
import type { Param } from "../../entities/param.ts";
import type { Tag } from "../../entities/tag.ts";
import { tagOf } from "../../wire/run-processes.ts";

/** Number of the attempt that a continued run begins now. A run that `track` did not make had one. */
export function nextAttempt(run: Run): number {
  return (Number(tagOf(run, trackTags.attempt)) || 1) + 1;
}

/** Tags of the ended attempt that must not seem to be the new one's. */
export function staleTags(run: Run): readonly string[] {
  const keys = [
    trackTags.exitCode,
    trackTags.signal,
    trackTags.endReason,
    trackTags.process,
    trackTags.heartbeat,
    trackTags.gitDiffTruncated,
    trackTags.gitUntrackedTruncated,
  ];
  return keys.filter((key) => tagOf(run, key) !== undefined);
}

/** What the ended attempt had, as `track.attempt.<n>.<key>` (records.md). */
export function endedAttemptTags(run: Run): readonly Tag[] {
  const attempt = nextAttempt(run) - 1;
  const values: Record<string, string | undefined> = {
    exit_code: tagOf(run, trackTags.exitCode),
    signal: tagOf(run, trackTags.signal),
    end_reason: tagOf(run, trackTags.endReason),
    start_time: tagOf(run, trackTags.attemptStartTime) ?? String(run.info.startTime),
    end_time: run.info.endTime === undefined ? undefined : String(run.info.endTime),
    status: run.info.status,
    "git.commit": tagOf(run, mlflowTags.gitCommit),
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
