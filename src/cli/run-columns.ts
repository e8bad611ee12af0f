import type { RunStatus } from "../entities/run-status.ts";
import type { Run } from "../entities/run.ts";
import { mlflowTags, trackTags } from "../entities/tag-keys.ts";
import { readHeartbeat, tagOf } from "../wire/run-processes.ts";
import { formatDuration, formatIsoTime, formatRelativeTime } from "./format-time.ts";
import { formatNumber } from "./format-number.ts";
import type { Io, Style } from "./io.ts";
import type { Progress } from "./parse-progress.ts";
import { commandOf } from "./run-facts.ts";
import type { Column } from "./table.ts";

/** What the cells of a run table need beside the run. */
export interface RunColumnContext {
  readonly io: Io;
  /** ms since the epoch. */
  readonly now: number;
  readonly experimentNames: ReadonlyMap<string, string>;
  /** How far running runs are, by run id. */
  readonly progress: ReadonlyMap<string, Progress>;
  /** What stands before the name in a tree, by run id. */
  readonly branches?: ReadonlyMap<string, string>;
}

export type RunColumn = Column<Run>;
type MakeColumn = (context: RunColumnContext) => RunColumn;

/** A column that needs no data of the run but these tags. */
interface FixedColumn {
  readonly tags?: readonly string[];
  readonly make: MakeColumn;
}

const shortIdLength = 8;
const shortCommitLength = 10;
/** A heartbeat comes every 30 s. */
const silenceMs = 180_000;
const shownParams = 3;
const shownMetrics = 4;

const fixedColumns: Readonly<Record<string, FixedColumn>> = {
  run_id: {
    make: ({ io }) => ({
      title: "RUN",
      cell: (run) => (io.isTerminal ? run.info.runId.slice(0, shortIdLength) : run.info.runId),
    }),
  },
  name: {
    make: ({ branches }) => ({
      title: "NAME",
      cell: (run) => (branches?.get(run.info.runId) ?? "") + run.info.runName,
      minWidth: 8,
    }),
  },
  status: {
    make: () => ({ title: "STATUS", cell: (run) => run.info.status, style: (run) => statusStyle(run.info.status) }),
  },
  progress: {
    tags: [trackTags.heartbeat],
    make: (context) => ({ title: "PROGRESS", cell: (run) => showProgress(context, run), dropOrder: 5 }),
  },
  experiment: {
    make: ({ experimentNames }) => ({
      title: "EXPERIMENT",
      cell: (run) => experimentNames.get(run.info.experimentId) ?? run.info.experimentId,
      minWidth: 8,
      dropOrder: 3,
    }),
  },
  experiment_id: { make: () => ({ title: "EXPERIMENT ID", cell: (run) => run.info.experimentId, dropOrder: 3 }) },
  start_time: {
    make: (context) => ({ title: "STARTED", cell: (run) => showTime(context, run.info.startTime), dropOrder: 1 }),
  },
  end_time: {
    make: (context) => ({ title: "ENDED", cell: (run) => showTime(context, run.info.endTime), dropOrder: 2 }),
  },
  duration: {
    make: (context) => ({
      title: "DURATION",
      cell: (run) => showDuration(context, run),
      isRight: true,
      dropOrder: 2,
    }),
  },
  user_id: { make: () => ({ title: "USER", cell: (run) => run.info.userId, minWidth: 6, dropOrder: 4 }) },
  lifecycle_stage: { make: () => ({ title: "STAGE", cell: (run) => run.info.lifecycleStage, dropOrder: 1 }) },
  artifact_uri: {
    make: () => ({ title: "ARTIFACTS", cell: (run) => run.info.artifactUri, minWidth: 12, dropOrder: 5 }),
  },
  command: {
    tags: [trackTags.command, mlflowTags.sourceName],
    make: () => ({ title: "COMMAND", cell: (run) => commandOf((key) => tagOf(run, key)) ?? "", minWidth: 12 }),
  },
  commit: { tags: [mlflowTags.gitCommit, mlflowTags.gitDirty], make: commitColumn },
  branch: tagColumn("BRANCH", mlflowTags.gitBranch),
  host: tagColumn("HOST", trackTags.host),
  attempt: tagColumn("ATTEMPT", trackTags.attempt),
  exit_code: tagColumn("EXIT", trackTags.exitCode),
  signal: tagColumn("SIGNAL", trackTags.signal),
  end_reason: tagColumn("ENDED BY", trackTags.endReason),
  description: tagColumn("DESCRIPTION", mlflowTags.note),
  parent: tagColumn("PARENT", mlflowTags.parentRunId),
};

/** Other names that columns go by. */
const aliases: Readonly<Record<string, string>> = {
  id: "run_id",
  run: "run_id",
  run_name: "name",
  started: "start_time",
  start: "start_time",
  ended: "end_time",
  end: "end_time",
  user: "user_id",
  stage: "lifecycle_stage",
  git: "commit",
  note: "description",
  exit: "exit_code",
};

const defaultNames = ["run_id", "name", "status", "progress", "experiment", "start_time", "duration"] as const;

/** Every name of a column that is not of a param, metric or tag. */
export const fixedColumnNames: readonly string[] = Object.keys(fixedColumns);

/** The name that `name` stands for where it is a fixed column's, else `undefined`. */
export function fixedColumnName(name: string): string | undefined {
  const full = aliases[name] ?? name;
  return Object.hasOwn(fixedColumns, full) ? full : undefined;
}

/** Keys of the tags that a fixed column reads. */
export const fixedColumnTags = (name: string): readonly string[] => fixedColumns[name]?.tags ?? [];

/** A column that was asked for stays, however narrow the terminal is. */
export function fixedColumn(name: string, context: RunColumnContext): RunColumn {
  const column = fixedColumns[name];
  if (column === undefined) throw new RangeError(`no such column: ${name}`);
  return { ...column.make(context), dropOrder: 0 };
}

/**
 * The usual columns. In a pipe always the same ones, so that a script can count on them;
 * on a terminal also the params in which these runs differ, their metrics, and how far running ones are.
 */
export function usualColumns(
  runs: readonly Run[],
  context: RunColumnContext,
  extra: readonly string[],
): readonly RunColumn[] {
  const fixed = [...defaultNames, ...extra]
    .filter((name) => name !== "progress" || context.io.isTerminal)
    .map((name) => fixedColumns[name]?.make(context))
    .filter((one) => one !== undefined)
    .filter((one) => one.title !== "PROGRESS" || runs.some((run) => one.cell(run) !== ""));
  if (!context.io.isTerminal) return fixed;
  const keys = usualKeys(runs);
  return [
    ...fixed,
    ...keys.metrics.map((key, index) => ({ ...dataColumn("metrics", key), dropOrder: 10 + index })),
    ...keys.params.map((key, index) => ({ ...dataColumn("params", key), dropOrder: 20 + index })),
  ];
}

/** The metrics that most runs have, and the params in which they differ: what a terminal shows of each run. */
export function usualKeys(runs: readonly Run[]): {
  readonly metrics: readonly string[];
  readonly params: readonly string[];
} {
  return {
    metrics: frequentKeys(runs.map((run) => run.data.metrics))
      .filter((key) => !key.startsWith("system/"))
      .slice(0, shownMetrics),
    params: differingParams(runs).slice(0, shownParams),
  };
}

/** Colour of a run status. */
export function statusStyle(status: RunStatus): Style | undefined {
  const styles: Readonly<Record<RunStatus, Style | undefined>> = {
    RUNNING: "cyan",
    SCHEDULED: "dim",
    FINISHED: "green",
    FAILED: "red",
    KILLED: "yellow",
  };
  return styles[status];
}

/** The column of one metric, param or tag. */
export function dataColumn(kind: "metrics" | "params" | "tags", key: string): RunColumn {
  if (kind === "metrics") {
    return {
      title: key,
      isRight: true,
      cell: (run) => {
        const metric = run.data.metrics.find((one) => one.key === key);
        return metric === undefined ? "" : formatNumber(metric.value);
      },
    };
  }
  return { title: key, cell: (run) => run.data[kind].find((one) => one.key === key)?.value ?? "", minWidth: 6 };
}

function tagColumn(title: string, key: string): FixedColumn {
  return { tags: [key], make: () => ({ title, cell: (run) => tagOf(run, key) ?? "", minWidth: 6 }) };
}

/** The whole commit in a pipe; `*` where the tree had changes. */
function commitColumn({ io }: RunColumnContext): RunColumn {
  return {
    title: "COMMIT",
    cell: (run) => {
      const commit = tagOf(run, mlflowTags.gitCommit);
      if (commit === undefined || !io.isTerminal) return commit ?? "";
      const isDirty = tagOf(run, mlflowTags.gitDirty)?.toLowerCase() === "true";
      return commit.slice(0, shortCommitLength) + (isDirty ? "*" : "");
    },
  };
}

function differingParams(runs: readonly Run[]): readonly string[] {
  return frequentKeys(runs.map((run) => run.data.params)).filter((key) => {
    const values = runs.flatMap((run) => run.data.params.filter((param) => param.key === key));
    return runs.length === 1 || new Set(values.map((param) => param.value)).size > 1;
  });
}

/** Keys by how many runs have them, the most first; equal ones by name. */
function frequentKeys(lists: readonly (readonly { readonly key: string }[])[]): readonly string[] {
  const counts = new Map<string, number>();
  for (const { key } of lists.flat()) counts.set(key, (counts.get(key) ?? 0) + 1);
  return [...counts]
    .sort(([oneKey, one], [otherKey, other]) => other - one || (oneKey < otherKey ? -1 : 1))
    .map(([key]) => key);
}

function showTime({ io, now }: RunColumnContext, time: number | undefined): string {
  if (time === undefined) return "";
  return io.isTerminal ? formatRelativeTime(time, now) : formatIsoTime(time);
}

/** So far, for a run that goes on; in a pipe in seconds. */
function showDuration({ io, now }: RunColumnContext, run: Run): string {
  const end = run.info.endTime ?? (run.info.status === "RUNNING" ? now : undefined);
  if (end === undefined) return "";
  const ms = Math.max(0, end - run.info.startTime);
  return io.isTerminal ? formatDuration(ms) : String(ms / 1000);
}

/** Percent alone in a pipe. On a terminal also what is left, and the silence of a run whose recorder is elsewhere or gone. */
function showProgress({ io, now, progress }: RunColumnContext, run: Run): string {
  if (run.info.status !== "RUNNING") return "";
  const known = progress.get(run.info.runId);
  if (known === undefined) {
    const heartbeat = readHeartbeat(run);
    const silentMs = heartbeat === undefined ? 0 : now - heartbeat;
    return io.isTerminal && silentMs > silenceMs ? `silent for ${formatDuration(silentMs)}` : "";
  }
  if (!io.isTerminal) return String(Math.round(known.percent * 10) / 10);
  const count = known.total === undefined ? "" : ` ${known.done}/${known.total}`;
  const left = known.remainingMs === undefined ? "" : `, ${formatDuration(known.remainingMs)} left`;
  return `${Math.floor(known.percent)}%${count}${left}`;
}
