import type { Experiment } from "../entities/experiment.ts";
import type { Metric } from "../entities/metric.ts";
import type { Run } from "../entities/run.ts";
import { mlflowTags, trackTags } from "../entities/tag-keys.ts";
import type { Tag } from "../entities/tag.ts";
import type { MetricSummary } from "../store/metric-summaries.ts";
import { cutToWidth } from "../util/text-width.ts";
import { formatCell } from "./format-cell.ts";
import { formatBytes, formatNumber } from "./format-number.ts";
import { formatSparkline } from "./format-sparkline.ts";
import type { Io } from "./io.ts";
import type { RunArtifacts } from "./run-artifacts.ts";
import { statusStyle } from "./run-columns.ts";
import { type Fact, runFacts } from "./run-facts.ts";
import { type Column, writeTable } from "./table.ts";

/** A run and what belongs to it. `summaries` is by metric key; a metric without one shows its latest value alone. */
export interface RunDetails {
  readonly run: Run;
  readonly experiment: Experiment;
  readonly summaries: ReadonlyMap<string, MetricSummary>;
  readonly artifacts: RunArtifacts;
  readonly children: readonly Run[];
}

/** Tags whose content the page shows in another form, or which only other commands of ours read. */
const hiddenTags: ReadonlySet<string> = new Set([
  mlflowTags.runName,
  mlflowTags.user,
  mlflowTags.note,
  mlflowTags.sourceType,
  mlflowTags.sourceName,
  mlflowTags.gitCommit,
  mlflowTags.gitBranch,
  mlflowTags.gitDirty,
  mlflowTags.gitRepoUrl,
  mlflowTags.parentRunId,
  trackTags.command,
  trackTags.cwd,
  trackTags.host,
  trackTags.attempt,
  trackTags.attemptStartTime,
  trackTags.exitCode,
  trackTags.signal,
  trackTags.endReason,
  trackTags.options,
  trackTags.createId,
  trackTags.resumeKey,
  trackTags.process,
  trackTags.heartbeat,
]);

/** Writes the page that `track show` has on a terminal: facts, params, metrics, tags, artifacts, children. */
export function writeRunPage(io: Io, now: number, details: RunDetails): void {
  const { run, artifacts, children } = details;
  const { info, data } = run;
  const style = statusStyle(info.status);
  const status = style === undefined ? info.status : io.style(style, info.status);
  io.out(`${io.style("bold", formatCell(info.runName))}  ${status}\n`);
  writeFacts(io, runFacts(run, details.experiment, now));
  writeSection(io, "Params", () => writeFacts(io, data.params.map(toFact)), data.params.length);
  const isSystem = (metric: Metric) => metric.key.startsWith("system/");
  for (const [title, metrics] of [
    ["Metrics", data.metrics.filter((metric) => !isSystem(metric))],
    ["System metrics", data.metrics.filter(isSystem)],
  ] as const) {
    writeSection(io, title, () => writeTable(io, metricColumns(details.summaries), metrics), metrics.length);
  }
  const tags = sortedTags(data.tags);
  writeSection(io, "Tags", () => writeFacts(io, tags.map(toFact)), tags.length);
  writeSection(
    io,
    "Artifacts",
    () => writeArtifacts(io, artifacts),
    artifacts.files.length + (artifacts.problem ? 1 : 0),
  );
  writeSection(io, "Children", () => writeTable(io, childColumns, children), children.length);
}

function writeSection(io: Io, title: string, write: () => void, size: number): void {
  if (size === 0) return;
  io.out(`\n${io.style("bold", title)}\n`);
  write();
}

function writeFacts(io: Io, list: readonly Fact[]): void {
  const longest = Math.max(0, ...list.map(([name]) => formatCell(name).length));
  const width = Math.min(longest, Math.max(12, Math.floor(io.columns / 2) - 4));
  for (const [name, value] of list) {
    const shownName = cutToWidth(formatCell(name), width).padEnd(width);
    const room = Math.max(10, io.columns - width - 4);
    io.out(`  ${io.style("dim", shownName)}  ${cutToWidth(formatCell(value), room)}\n`);
  }
}

/** The user's own first; ours and MLflow's after them. */
function sortedTags(tags: readonly Tag[]): readonly Tag[] {
  const isOwn = (tag: Tag) => !/^(?:mlflow|track)\./u.test(tag.key);
  const isSummary = (tag: Tag) => /^track\.(?:peak|mean)\./u.test(tag.key);
  const shown = tags
    .filter((tag) => !hiddenTags.has(tag.key) && !isSummary(tag))
    .sort((one, other) => (one.key < other.key ? -1 : 1));
  return [...shown.filter(isOwn), ...shown.filter((tag) => !isOwn(tag))];
}

function toFact({ key, value }: { readonly key: string; readonly value: string }): Fact {
  return [key, value];
}

function metricColumns(summaries: ReadonlyMap<string, MetricSummary>): readonly Column<Metric>[] {
  const of = (metric: Metric) => summaries.get(metric.key);
  const extreme = (summary: MetricSummary | undefined, value: number | undefined) =>
    summary === undefined || value === undefined ? "" : `${summary.isComplete ? "" : "~"}${formatNumber(value)}`;
  return [
    { title: "  METRIC", cell: (metric) => `  ${metric.key}`, minWidth: 12 },
    { title: "LAST", cell: (metric) => formatNumber(metric.value), isRight: true },
    { title: "STEP", cell: (metric) => String(metric.step), isRight: true, dropOrder: 2 },
    { title: "MIN", cell: (metric) => extreme(of(metric), of(metric)?.min), isRight: true, dropOrder: 4 },
    { title: "MAX", cell: (metric) => extreme(of(metric), of(metric)?.max), isRight: true, dropOrder: 3 },
    { title: "", cell: (metric) => formatSparkline(of(metric)?.series ?? []), dropOrder: 1 },
  ];
}

function writeArtifacts(io: Io, artifacts: RunArtifacts): void {
  if (artifacts.problem !== undefined) io.out(`  cannot be listed: ${formatCell(artifacts.problem)}\n`);
  writeTable(io, artifactColumns, artifacts.files);
  if (artifacts.hasMore) io.out("  ...\n");
}

const artifactColumns: readonly Column<RunArtifacts["files"][number]>[] = [
  { title: "  FILE", cell: (file) => `  ${file.path}`, minWidth: 20 },
  { title: "SIZE", cell: (file) => (file.size === undefined ? "" : formatBytes(file.size)), isRight: true },
];

const childColumns: readonly Column<Run>[] = [
  { title: "  RUN", cell: (run) => `  ${run.info.runId.slice(0, 8)}` },
  { title: "NAME", cell: (run) => run.info.runName, minWidth: 8 },
  { title: "STATUS", cell: (run) => run.info.status, style: (run) => statusStyle(run.info.status) },
];
