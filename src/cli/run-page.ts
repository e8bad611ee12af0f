import type { Experiment } from "../entities/experiment.ts";
import type { Metric } from "../entities/metric.ts";
import type { Run } from "../entities/run.ts";
import { mlflowTags, trackTags } from "../entities/tag-keys.ts";
import type { Tag } from "../entities/tag.ts";
import type { MetricSummary } from "../store/metric-summaries.ts";
import { cutToWidth, textWidth } from "../util/text-width.ts";
import { childColumns, type RunChildren } from "./run-children.ts";
import { formatCell } from "./format-cell.ts";
import { formatBytes, formatNumber } from "./format-number.ts";
import { formatSparkline } from "./format-sparkline.ts";
import type { Io } from "./io.ts";
import type { RunArtifacts } from "./run-artifacts.ts";
import { statusStyle } from "./run-columns.ts";
import { type Fact, runFacts } from "./run-facts.ts";
import { type Column, ellipsisOf, writeTable } from "./table.ts";

/** A run and what belongs to it. `summaries` is by metric key; a metric without one shows its latest value alone. */
export interface RunDetails {
  readonly run: Run;
  readonly experiment: Experiment;
  readonly summaries: ReadonlyMap<string, MetricSummary>;
  readonly artifacts: RunArtifacts;
  readonly children: RunChildren;
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
  const { run, artifacts } = details;
  const { info, data } = run;
  const style = statusStyle(info.status);
  const status = style === undefined ? info.status : io.style(style, info.status);
  io.out(`${io.style("bold", formatCell(info.runName))}  ${status}\n`);
  writeFacts(io, runFacts(run, details.experiment, now));
  writeSection(io, "Params", () => writeFacts(io, data.params.map(toFact)), data.params.length);
  const { own, system } = splitMetrics(data.metrics);
  writeSection(io, "Metrics", () => writeTable(io, metricColumns(io, details.summaries), own), own.length);
  const systemTable = systemColumns(io, data.tags, details.summaries);
  writeSection(io, "System metrics", () => writeTable(io, systemTable, system), system.length);
  const tags = sortedTags(data.tags);
  writeSection(io, "Tags", () => writeFacts(io, tags.map(toFact)), tags.length);
  writeSection(
    io,
    "Artifacts",
    () => writeArtifacts(io, artifacts),
    artifacts.files.length + (artifacts.problem ? 1 : 0),
  );
  writeChildren(io, now, details);
}

function writeSection(io: Io, title: string, write: () => void, size: number): void {
  if (size === 0) return;
  io.out(`\n${io.style("bold", title)}\n`);
  write();
}

function writeChildren(io: Io, now: number, { run, children }: RunDetails): void {
  writeSection(io, "Children", () => writeTable(io, childColumns(now, children), children.runs), children.runs.length);
  if (!children.hasMore) return;
  const { parentRunId } = mlflowTags;
  io.out(`  ... and more: track ls -n 1000 --filter "tags.\`${parentRunId}\` = '${run.info.runId}'"\n`);
}

function writeFacts(io: Io, list: readonly Fact[]): void {
  const longest = list.reduce((widest, [name]) => Math.max(widest, textWidth(formatCell(name))), 0);
  const width = Math.min(longest, Math.max(12, Math.floor(io.columns / 2) - 4));
  for (const [name, value] of list) {
    const cut = cutToWidth(formatCell(name), width, ellipsisOf(io));
    const shownName = cut + " ".repeat(Math.max(0, width - textWidth(cut)));
    const room = Math.max(10, io.columns - width - 4);
    io.out(`  ${io.style("dim", shownName)}  ${cutToWidth(formatCell(value), room, ellipsisOf(io))}\n`);
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

function splitMetrics(metrics: readonly Metric[]) {
  const isSystem = (metric: Metric) => metric.key.startsWith("system/");
  return { own: metrics.filter((metric) => !isSystem(metric)), system: metrics.filter(isSystem) };
}

type Summaries = ReadonlyMap<string, MetricSummary>;

const metricName: Column<Metric> = { title: "  METRIC", cell: (metric) => `  ${metric.key}`, minWidth: 12 };
const lastValue: Column<Metric> = { title: "LAST", cell: (metric) => formatNumber(metric.value), isRight: true };

function metricColumns(io: Io, summaries: Summaries): readonly Column<Metric>[] {
  return [
    metricName,
    lastValue,
    { title: "STEP", cell: (metric) => String(metric.step), isRight: true, dropOrder: 2 },
    { title: "MIN", cell: (metric) => extreme(summaries, metric.key, "min"), isRight: true, dropOrder: 4 },
    { title: "MAX", cell: (metric) => extreme(summaries, metric.key, "max"), isRight: true, dropOrder: 3 },
    sparkline(io, summaries),
  ];
}

/** Means and peaks are those that the recorder has taken over all samples, weighted by time; a run of another client has none. */
function systemColumns(io: Io, tags: readonly Tag[], summaries: Summaries): readonly Column<Metric>[] {
  const values = new Map(tags.map(({ key, value }) => [key, value]));
  const recorded = (kind: "mean" | "peak", { key }: Metric) =>
    values.get(`track.${kind}.${key.slice("system/".length)}`);
  const hasMeans = tags.some(({ key }) => key.startsWith("track.mean."));
  return [
    metricName,
    lastValue,
    ...(hasMeans
      ? [{ title: "MEAN", cell: (metric: Metric) => recorded("mean", metric) ?? "", isRight: true, dropOrder: 2 }]
      : []),
    { title: "MIN", cell: (metric) => extreme(summaries, metric.key, "min"), isRight: true, dropOrder: 4 },
    {
      title: "MAX",
      cell: (metric) => recorded("peak", metric) ?? extreme(summaries, metric.key, "max"),
      isRight: true,
      dropOrder: 3,
    },
    sparkline(io, summaries),
  ];
}

function extreme(summaries: Summaries, key: string, which: "min" | "max"): string {
  const summary = summaries.get(key);
  const value = summary?.[which];
  return value === undefined ? "" : `${summary?.isComplete === true ? "" : "~"}${formatNumber(value)}`;
}

function sparkline(io: Io, summaries: Summaries): Column<Metric> {
  return {
    title: "",
    cell: (metric) => formatSparkline(summaries.get(metric.key)?.series ?? [], { isUtf8: io.isUtf8 }),
    dropOrder: 1,
  };
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
