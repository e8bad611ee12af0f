import type { Run } from "../../entities/run.ts";
import { mlflowTags, trackTags } from "../../entities/tag-keys.ts";
import { UsageError } from "../../errors.ts";
import { textWidth } from "../../util/text-width.ts";
import { numberToJson } from "../../wire/rest-json-values.ts";
import { runToJson } from "../../wire/rest-json.ts";
import { tagOf } from "../../wire/run-processes.ts";
import type { Context } from "../context.ts";
import { findRun, findRuns } from "../find-run.ts";
import { formatCell } from "../format-cell.ts";
import { formatNumber } from "../format-number.ts";
import type { Io } from "../io.ts";
import type { WatchOptions } from "../live-view.ts";
import { openExisting } from "../open-for-reading.ts";
import { type Comparison, compareRuns, type RunDifferences } from "../run-differences.ts";
import { commandOf } from "../run-facts.ts";
import { type Column, writeTable } from "../table.ts";
import { printOrWatch } from "../watch-runs.ts";
import { writeJson } from "../write-json.ts";

export interface CompareOptions extends WatchOptions {
  /** What is the same, system metrics and all tags, too. */
  readonly all?: boolean;
  readonly json?: boolean;
  readonly trackingUri?: string;
}

/** Tags that tell where two runs of the same program may part. */
const interestingTags: ReadonlySet<string> = new Set([
  mlflowTags.gitCommit,
  mlflowTags.gitBranch,
  mlflowTags.gitDirty,
  trackTags.command,
  trackTags.cwd,
  trackTags.host,
  trackTags.gpus,
]);

/** Prints what differs between runs: a table with a column for each run; in a pipe tab-separated, the kind first. */
export async function compare(
  context: Context,
  options: CompareOptions,
  names: readonly string[],
): Promise<number | void> {
  return printOrWatch(context, options, names, (where, which) => print(where, options, which));
}

async function print(context: Context, options: CompareOptions, names: readonly string[]): Promise<readonly string[]> {
  await using store = await openExisting(context, "read", options.trackingUri);
  const runs = await findRuns(names, (name) => findRun(store, name));
  if (runs.length < 2) throw new UsageError("compare needs two different runs", { hint: "track compare @last @2" });
  const all = compareRuns(runs, (key) => options.all === true || isInteresting(key));
  const shown = options.all === true ? all : onlyDifferences(all);
  if (options.json === true) writeJson(context.io, toJson(runs, shown));
  else if (context.io.isTerminal) writePage(context.io, runs, shown);
  else writeRows(context.io, runs, shown);
  return runs.map((run) => run.info.runId);
}

/** The user's own tags, too: what someone has marked a run with is what it was about. */
function isInteresting(key: string): boolean {
  return interestingTags.has(key) || !/^(?:mlflow|track)\./u.test(key);
}

/** Readings of the machine always differ and say little: `--all` shows them. */
function onlyDifferences({ params, metrics, tags }: RunDifferences): RunDifferences {
  return {
    params: params.filter(({ differs }) => differs),
    metrics: metrics.filter(({ key, differs }) => differs && !key.startsWith("system/")),
    tags: tags.filter(({ differs }) => differs),
  };
}

interface Row {
  readonly key: string;
  readonly cells: readonly string[];
  readonly isTitle?: boolean;
}

const shortIdLength = 8;
const leastRunWidth = 8;

/** One table, so that a run can be followed downwards. */
function writePage(io: Io, runs: readonly Run[], { params, metrics, tags }: RunDifferences): void {
  const rows: readonly Row[] = [
    { key: "name", cells: runs.map((run) => run.info.runName) },
    { key: "status", cells: runs.map((run) => run.info.status) },
    ...section(
      "Params",
      params.map((one) => toRow(one, String)),
    ),
    ...section(
      "Metrics",
      metrics.map((one) => toRow(one, formatNumber)),
    ),
    ...section(
      "Tags",
      tags.map((one) => tagRow(one, runs)),
    ),
  ];
  for (const [from, to] of blocks(io, runs, rows)) {
    if (from > 0) io.out("\n");
    writeTable(io, columnsFor(runs, from, to), rows);
  }
  if (params.length + metrics.length + tags.length > 0) return;
  io.say("no difference in params, metrics and tags; --all shows what is the same");
}

function section(title: string, rows: readonly Row[]): readonly Row[] {
  return rows.length === 0 ? [] : [{ key: "", cells: [] }, { key: title, cells: [], isTitle: true }, ...rows];
}

function toRow<Value>({ key, values }: Comparison<Value>, format: (value: Value) => string): Row {
  return { key, cells: values.map((value) => (value === undefined ? "-" : format(value))) };
}

function tagRow(comparison: Comparison<string>, runs: readonly Run[]): Row {
  if (comparison.key !== trackTags.command) return toRow(comparison, String);
  return { key: comparison.key, cells: runs.map((run) => commandOf((key) => tagOf(run, key)) ?? "-") };
}

/** Which runs stand side by side: as many as the terminal has room for, the others below. */
function blocks(io: Io, runs: readonly Run[], rows: readonly Row[]): readonly (readonly [from: number, to: number])[] {
  const keyWidth = rows.reduce((widest, { key }) => Math.max(widest, textWidth(formatCell(key)) + 2), 8);
  const room = io.columns - Math.min(keyWidth, Math.floor(io.columns / 2));
  const size = Math.max(1, Math.floor(room / (leastRunWidth + 2)));
  return Array.from({ length: Math.ceil(runs.length / size) }, (_, index) => {
    return [index * size, Math.min(runs.length, (index + 1) * size)] as const;
  });
}

function columnsFor(runs: readonly Run[], from: number, to: number): readonly Column<Row>[] {
  return [
    {
      title: "",
      cell: ({ key, isTitle }) => (isTitle === true ? key : `  ${key}`),
      minWidth: 10,
      style: ({ isTitle }) => (isTitle === true ? "bold" : undefined),
    },
    ...runs.slice(from, to).map((run, index) => ({
      title: run.info.runId.slice(0, shortIdLength),
      cell: ({ cells }: Row) => cells[from + index] ?? "",
      minWidth: leastRunWidth,
    })),
  ];
}

/** `run` lines first, then a line for each key with the runs' values in their order; empty where a run has none. */
function writeRows(io: Io, runs: readonly Run[], { params, metrics, tags }: RunDifferences): void {
  const line = (kind: string, key: string, cells: readonly string[]) =>
    [kind, key, ...cells].map(formatCell).join("\t");
  const lines = (kind: string, list: readonly Comparison<string | number>[]) =>
    list.map(({ key, values }) =>
      line(
        kind,
        key,
        values.map((value) => (value === undefined ? "" : String(value))),
      ),
    );
  const rows = [
    line(
      "run",
      "run_id",
      runs.map((run) => run.info.runId),
    ),
    line(
      "run",
      "run_name",
      runs.map((run) => run.info.runName),
    ),
    line(
      "run",
      "status",
      runs.map((run) => run.info.status),
    ),
    ...lines("param", params),
    ...lines("metric", metrics),
    ...lines("tag", tags),
  ];
  io.out(rows.map((row) => `${row}\n`).join(""));
}

/** By key, then by run id; a run without the key is left out. */
function toJson(runs: readonly Run[], { params, metrics, tags }: RunDifferences): object {
  const byKey = <Value>(list: readonly Comparison<Value>[], write: (value: Value) => unknown) =>
    Object.fromEntries(
      list.map(({ key, values }) => [
        key,
        Object.fromEntries(
          values.flatMap((value, index) =>
            value === undefined ? [] : [[runs[index]?.info.runId ?? "", write(value)]],
          ),
        ),
      ]),
    );
  return {
    runs: runs.map(runToJson),
    params: byKey(params, String),
    metrics: byKey(metrics, numberToJson),
    tags: byKey(tags, String),
  };
}
