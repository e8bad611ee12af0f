import type { Run } from "../../entities/run.ts";
import { TrackError, UsageError } from "../../errors.ts";
import { numberToJson } from "../../wire/rest-json-values.ts";
import { type ChartAxis, layOutChart, mostLines } from "../chart.ts";
import type { Context } from "../context.ts";
import { findRun, findRuns } from "../find-run.ts";
import { formatCell } from "../format-cell.ts";
import { formatIsoTime } from "../format-time.ts";
import type { Io } from "../io.ts";
import type { WatchOptions } from "../live-view.ts";
import { openExisting } from "../open-for-reading.ts";
import { readRunSeries, type RunSeries, smooth, toChartLine } from "../run-series.ts";
import { printOrWatch } from "../watch-runs.ts";
import { writeJson } from "../write-json.ts";

export interface PlotOptions extends WatchOptions {
  /** Keys; empty: the only one that the runs have. */
  readonly metrics: readonly string[];
  readonly axis: ChartAxis;
  readonly logY?: boolean;
  /** Weight of what was before, 0 to 1. */
  readonly smooth?: number;
  /** A chart for each metric instead of one for all. */
  readonly split?: boolean;
  readonly json?: boolean;
  readonly trackingUri?: string;
}

/** Draws metrics of runs as a chart that fits the terminal; in a pipe a line for each point. `--watch` goes on until it is ended. */
export async function plot(context: Context, options: PlotOptions, names: readonly string[]): Promise<number | void> {
  return printOrWatch(context, options, names, (where, which) => draw(where, options, which));
}

async function draw(context: Context, options: PlotOptions, names: readonly string[]): Promise<readonly string[]> {
  await using store = await openExisting(context, "read", options.trackingUri);
  const runs = await findRuns(names, (name) => findRun(store, name));
  const keys = options.metrics.length > 0 ? options.metrics : onlyMetric(runs);
  checkKeys(context.io, runs, keys);
  const all = (await Promise.all(runs.map((run) => readRunSeries(store, run, keys)))).flat();
  const factor = options.smooth;
  const list = factor === undefined ? all : all.map((series) => smooth(series, factor));
  if (options.json === true) writeJson(context.io, { series: list.map(seriesToJson) });
  else if (context.io.isTerminal) writeCharts(context.io, list, options);
  else writeRows(context.io, list);
  return runs.map((run) => run.info.runId);
}

function onlyMetric(runs: readonly Run[]): readonly string[] {
  const keys = metricKeys(runs);
  if (keys.length === 1) return keys;
  const hint = keys.length === 0 ? "track log metric loss=0.3 logs one" : `-m <metric>: ${shorten(keys)}`;
  throw new UsageError(keys.length === 0 ? "no metric to plot" : "which metric?", { hint });
}

/** The runs' own metrics, without those of the system. */
function metricKeys(runs: readonly Run[]): readonly string[] {
  const keys = runs.flatMap((run) => run.data.metrics.map(({ key }) => key));
  return [...new Set(keys)].filter((key) => !key.startsWith("system/")).toSorted();
}

const shorten = (keys: readonly string[]): string => keys.slice(0, 12).join(", ") + (keys.length > 12 ? ", ..." : "");

function checkKeys(io: Io, runs: readonly Run[], keys: readonly string[]): void {
  for (const key of keys) {
    const lacking = runs.filter((run) => !run.data.metrics.some((metric) => metric.key === key));
    if (lacking.length === runs.length) {
      const known = metricKeys(runs);
      throw new TrackError(`no such metric: ${key}`, {
        hint: known.length === 0 ? "track show <run> shows what it has" : `there are ${shorten(known)}`,
      });
    }
    for (const run of lacking) io.say(`${run.info.runName} has no metric ${key}`);
  }
  if (keys.length * runs.length <= mostLines) return;
  throw new UsageError(`at most ${mostLines} lines can be told apart`, { hint: "name fewer runs or metrics" });
}

function writeCharts(io: Io, list: readonly RunSeries[], options: PlotOptions): void {
  const groups = options.split === true ? [...Map.groupBy(list, ({ key }) => key).values()] : [list];
  // The prompt needs a row, and each chart its title.
  const rows = Math.floor((io.rows - 1) / groups.length) - 1;
  for (const group of groups) {
    const { title, label } = naming(group);
    io.out(`${io.style("bold", title)}\n`);
    const lines = group.map((series) => toChartLine(series, options.axis, label(series)));
    const isLog = options.logY === true;
    io.out(layOutChart(io, lines, { axis: options.axis, isLog, columns: io.columns, rows }));
    if (isLog && !lines.some(({ points }) => points.some(({ high }) => high > 0))) {
      io.say("--log-y: no value is above 0");
    }
  }
}

/** What all lines have in common is the title, what tells them apart their label. */
function naming(list: readonly RunSeries[]) {
  const runNames = (series: RunSeries) =>
    formatCell(`${series.run.info.runName} (${series.run.info.runId.slice(0, 8)})`);
  const runs = new Set(list.map(({ run }) => run.info.runId));
  const keys = new Set(list.map(({ key }) => key));
  const [first] = list;
  const label = (series: RunSeries) => {
    if (keys.size <= 1) return runNames(series);
    return runs.size <= 1 ? formatCell(series.key) : `${formatCell(series.key)}  ${runNames(series)}`;
  };
  const title =
    keys.size <= 1 || first === undefined || runs.size > 1 ? Array.from(keys, formatCell).join(", ") : runNames(first);
  return { title, label };
}

function writeRows(io: Io, list: readonly RunSeries[]): void {
  for (const { run, key, points } of list) {
    const start = `${run.info.runId}\t${formatCell(key)}\t`;
    io.out(
      points.map(({ step, timestamp, value }) => `${start}${step}\t${formatIsoTime(timestamp)}\t${value}\n`).join(""),
    );
  }
}

function seriesToJson({ run, key, count, isExact, points }: RunSeries): object {
  return {
    run_id: run.info.runId,
    run_name: run.info.runName,
    key,
    count,
    is_exact: isExact,
    points: points.map(({ step, timestamp, value, low, high }) => ({
      step,
      timestamp,
      value: numberToJson(value),
      ...(!isExact && { low: numberToJson(low), high: numberToJson(high) }),
    })),
  };
}
