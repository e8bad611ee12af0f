import type { RunStatus } from "../entities/run-status.ts";
import type { Run } from "../entities/run.ts";
import { UsageError } from "../errors.ts";
import { formatDuration, formatIsoTime, formatRelativeTime } from "./format-time.ts";
import { formatNumber } from "./format-number.ts";
import type { Io, Style } from "./io.ts";
import type { Column } from "./table.ts";

/** What the cells of a run table need beside the run. */
export interface RunColumnContext {
  readonly io: Io;
  /** ms since the epoch. */
  readonly now: number;
  readonly experimentNames: ReadonlyMap<string, string>;
}

type RunColumn = Column<Run>;
type MakeColumn = (context: RunColumnContext) => RunColumn;

const shortIdLength = 8;
const shownParams = 3;
const shownMetrics = 4;

const fixedColumns: Readonly<Record<string, MakeColumn>> = {
  run_id: ({ io }) => ({
    title: "RUN",
    cell: (run) => (io.isTerminal ? run.info.runId.slice(0, shortIdLength) : run.info.runId),
  }),
  name: () => ({ title: "NAME", cell: (run) => run.info.runName, minWidth: 8 }),
  status: () => ({ title: "STATUS", cell: (run) => run.info.status, style: (run) => statusStyle(run.info.status) }),
  experiment: ({ experimentNames }) => ({
    title: "EXPERIMENT",
    cell: (run) => experimentNames.get(run.info.experimentId) ?? run.info.experimentId,
    minWidth: 8,
    dropOrder: 3,
  }),
  experiment_id: () => ({ title: "EXPERIMENT ID", cell: (run) => run.info.experimentId, dropOrder: 3 }),
  start_time: (context) => ({ title: "STARTED", cell: (run) => showTime(context, run.info.startTime), dropOrder: 1 }),
  end_time: (context) => ({ title: "ENDED", cell: (run) => showTime(context, run.info.endTime), dropOrder: 2 }),
  duration: (context) => ({
    title: "DURATION",
    cell: (run) => showDuration(context, run),
    isRight: true,
    dropOrder: 2,
  }),
  user_id: () => ({ title: "USER", cell: (run) => run.info.userId, minWidth: 6, dropOrder: 4 }),
  lifecycle_stage: () => ({ title: "STAGE", cell: (run) => run.info.lifecycleStage, dropOrder: 1 }),
  artifact_uri: () => ({ title: "ARTIFACTS", cell: (run) => run.info.artifactUri, minWidth: 12, dropOrder: 5 }),
};

const aliases: Readonly<Record<string, string>> = {
  id: "run_id",
  run_name: "name",
  started: "start_time",
  ended: "end_time",
  user: "user_id",
  stage: "lifecycle_stage",
};

const defaultNames = ["run_id", "name", "status", "experiment", "start_time", "duration"] as const;

/** Columns by name: `run_id`, `name`, ..., `params.<key>`, `metrics.<key>`, `tags.<key>`. Unknown: `UsageError`. */
export function namedColumns(names: readonly string[], context: RunColumnContext): readonly RunColumn[] {
  return names.map((name) => {
    const fixed = fixedColumns[aliases[name] ?? name];
    // What was asked for stays, however narrow the terminal is.
    if (fixed !== undefined) return { ...fixed(context), dropOrder: 0 };
    const match = /^(param|metric|tag)s?\.(.+)$/u.exec(name);
    if (match === null) throw unknownColumn(name);
    return dataColumn(match[1] ?? "", match[2] ?? "");
  });
}

/**
 * The usual columns. In a pipe always the same ones, so that a script can count on them;
 * on a terminal also the params in which these runs differ, and their metrics.
 */
export function usualColumns(
  runs: readonly Run[],
  context: RunColumnContext,
  extra: readonly string[],
): readonly RunColumn[] {
  const fixed = [...defaultNames, ...extra]
    .map((name) => fixedColumns[name]?.(context))
    .filter((one) => one !== undefined);
  if (!context.io.isTerminal) return fixed;
  const params = differingParams(runs).slice(0, shownParams);
  const metrics = frequentKeys(runs.map((run) => run.data.metrics))
    .filter((key) => !key.startsWith("system/"))
    .slice(0, shownMetrics);
  return [
    ...fixed,
    ...metrics.map((key, index) => ({ ...dataColumn("metric", key), dropOrder: 10 + index })),
    ...params.map((key, index) => ({ ...dataColumn("param", key), dropOrder: 20 + index })),
  ];
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

function dataColumn(kind: string, key: string): RunColumn {
  if (kind === "metric") {
    return {
      title: key,
      isRight: true,
      cell: (run) => {
        const metric = run.data.metrics.find((one) => one.key === key);
        return metric === undefined ? "" : formatNumber(metric.value);
      },
    };
  }
  const list = (run: Run) => (kind === "param" ? run.data.params : run.data.tags);
  return { title: key, cell: (run) => list(run).find((one) => one.key === key)?.value ?? "", minWidth: 6 };
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

function unknownColumn(name: string): UsageError {
  const names = [...Object.keys(fixedColumns), "params.<key>", "metrics.<key>", "tags.<key>"];
  return new UsageError(`--columns is not known: ${name}`, { hint: `one of ${names.join(", ")}` });
}
