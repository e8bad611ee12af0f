import type { Experiment } from "../entities/experiment.ts";
import type { Run } from "../entities/run.ts";
import { mlflowTags, trackTags } from "../entities/tag-keys.ts";
import { formatDuration, formatLocalTime, formatRelativeTime } from "./format-time.ts";

export type Fact = readonly [name: string, value: string];

/** What is known of a run beside its params, metrics and artifacts, in words for people; absent facts are left out. */
export function runFacts(run: Run, experiment: Experiment, now: number): readonly Fact[] {
  const { info } = run;
  const tag = (key: string) => run.data.tags.find((one) => one.key === key)?.value;
  const end = info.endTime ?? (info.status === "RUNNING" ? now : undefined);
  const list: readonly (readonly [string, string | undefined])[] = [
    ["run id", info.runId],
    ["experiment", `${experiment.name} (id ${experiment.experimentId})`],
    ["stage", info.lifecycleStage === "deleted" ? "deleted (track restore brings it back)" : undefined],
    ["started", startedAt(info.startTime, now)],
    ["duration", end === undefined ? undefined : formatDuration(end - info.startTime)],
    ["attempt", tag(trackTags.attempt) === "1" ? undefined : tag(trackTags.attempt)],
    ["ended by", endedBy(tag)],
    ["command", commandOf(tag)],
    ["folder", tag(trackTags.cwd)],
    ["by", [info.userId, tag(trackTags.host)].filter((part) => part !== undefined && part !== "").join(" on ")],
    ["git", gitOf(tag)],
    ["parent", tag(mlflowTags.parentRunId)],
    ["description", tag(mlflowTags.note)],
    ["artifacts", info.artifactUri],
  ];
  return list.flatMap(([name, value]) => (value === undefined || value === "" ? [] : [[name, value] as const]));
}

function startedAt(time: number, now: number): string {
  const absolute = formatLocalTime(time);
  const relative = formatRelativeTime(time, now);
  return absolute.startsWith(relative) ? absolute : `${absolute} (${relative})`;
}

type ReadTag = (key: string) => string | undefined;

function endedBy(tag: ReadTag): string | undefined {
  const parts = [
    [tag(trackTags.exitCode), "exit code "],
    [tag(trackTags.signal), "signal "],
    [tag(trackTags.endReason), ""],
  ].flatMap(([value, label]) => (value === undefined ? [] : [`${label}${value}`]));
  return parts.length === 0 ? undefined : parts.join(", ");
}

/** The command as one would type it in a shell; the source name where another client made the run. */
export function commandOf(tag: ReadTag): string | undefined {
  const text = tag(trackTags.command);
  const argv = text === undefined ? undefined : parseWords(text);
  if (argv === undefined) return text ?? tag(mlflowTags.sourceName);
  return argv.map((word) => (/^[\w@%+=:,./-]+$/u.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)).join(" ");
}

function parseWords(text: string): readonly string[] | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value.map(String) : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function gitOf(tag: ReadTag): string | undefined {
  const commit = tag(mlflowTags.gitCommit);
  if (commit === undefined) return undefined;
  const isDirty = tag(mlflowTags.gitDirty)?.toLowerCase() === "true";
  const notes = [tag(mlflowTags.gitBranch), isDirty ? "with changes" : undefined].filter((note) => note !== undefined);
  const repository = tag(mlflowTags.gitRepoUrl);
  return [commit.slice(0, 12), notes.length > 0 ? `(${notes.join(", ")})` : "", repository ?? ""]
    .filter(Boolean)
    .join(" ");
}
