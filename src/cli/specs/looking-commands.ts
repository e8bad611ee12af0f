import { runStatuses } from "../../entities/run-status.ts";
import { type CommandSpec, defineCommand, type TypedOption } from "../command-spec.ts";
import type { CompareOptions } from "../commands/compare.ts";
import type { LogsOptions } from "../commands/logs.ts";
import type { LsOptions } from "../commands/ls.ts";
import type { PlotOptions } from "../commands/plot.ts";
import type { ChangeRunsOptions } from "../commands/rm.ts";
import type { ScrapeOptions } from "../commands/scrape.ts";
import type { ShowOptions } from "../commands/show.ts";
import type { WatchOptions } from "../live-view.ts";
import { commaList, commaLists, count, durationMs, oneOf, text, texts, weight } from "../option-values.ts";
import { mlflowJson as json, trackingUri } from "./shared-options.ts";

const watch: TypedOption<WatchOptions> = {
  field: "watch",
  flags: "-w, --watch",
  description: "draw it again and again, until q or ^C; needs a terminal",
};

const interval: TypedOption<WatchOptions> = {
  field: "intervalMs",
  flags: "--interval <duration>",
  description: "with --watch: time between two drawings; default 2s",
  parse: durationMs("--interval", { canBeZero: false }),
};

const force: TypedOption<ChangeRunsOptions> = {
  field: "force",
  flags: "--force",
  description: "runs that are alive, too",
};

export const lookingCommands: readonly CommandSpec[] = [
  defineCommand<LsOptions>({
    name: "ls",
    summary: "list runs, the newest first",
    options: [
      {
        field: "experiments",
        flags: "-e, --experiment <name>",
        description: "only runs of this experiment (name or id); repeatable",
        parse: texts("--experiment"),
      },
      {
        field: "filter",
        flags: "--filter <filter>",
        description: "MLflow's filter, such as \"metrics.loss < 0.5 AND params.lr = '0.01'\"",
        parse: text("--filter"),
      },
      {
        field: "orderBy",
        flags: "--order-by <key>",
        description: 'MLflow\'s order, such as "metrics.loss ASC"; repeatable',
        parse: texts("--order-by"),
      },
      {
        field: "status",
        flags: "--status <status>",
        description: "running, scheduled, finished, failed or killed",
        parse: oneOf("--status", runStatuses),
      },
      {
        field: "limit",
        flags: "-n, --limit <count>",
        description: "at most this many; default 20",
        parse: count("-n"),
      },
      { field: "viewType", flags: "--all", description: "deleted runs, too", value: "ALL" },
      { field: "viewType", flags: "--deleted", description: "only deleted runs", value: "DELETED_ONLY" },
      {
        field: "columns",
        flags: "--columns <list>",
        description: "such as id,name,progress,command,params.lr,metrics.loss,tags.team; a key alone where it is clear",
        parse: commaList("--columns"),
      },
      { field: "tree", flags: "--tree", description: "children below their parents" },
      watch,
      interval,
      json,
      trackingUri,
    ],
    defaults: { experiments: [], orderBy: [], limit: 20, viewType: "ACTIVE_ONLY" },
    examples: [
      "track ls --experiment digits --status finished",
      'track ls --filter "metrics.loss < 0.5" --order-by "metrics.loss ASC" -n 5',
      "track ls --columns run_id,params.lr,metrics.loss | sort -k3 -n",
      "track ls --tree --watch",
    ],
    invoke: async (context, options) => (await import("../commands/ls.ts")).ls(context, options),
  }),
  defineCommand<ShowOptions>({
    name: "show",
    summary: "everything about one run",
    arguments: ["<run>"],
    options: [
      {
        field: "sort",
        flags: "--sort <metric>",
        description: "the table of children by this metric, the best first",
        parse: text("--sort"),
      },
      {
        field: "isDescending",
        flags: "--asc",
        description: "less is better (else judged by the metric's name)",
        value: false,
      },
      { field: "isDescending", flags: "--desc", description: "more is better", value: true },
      watch,
      interval,
      json,
      trackingUri,
    ],
    examples: ["track show @last", "track show 3f1c9a2e --sort val_loss --asc", "track show @last --watch"],
    invoke: async (context, options, args) =>
      (await import("../commands/show.ts")).show(context, options, args[0] ?? ""),
  }),
  defineCommand<LogsOptions>({
    name: "logs",
    summary: "the console log of a run",
    arguments: ["<run>"],
    options: [
      { field: "follow", flags: "-f, --follow", description: "go on until the run has ended" },
      {
        field: "attempt",
        flags: "--attempt <n>",
        description: "of this attempt; default: the latest",
        parse: count("--attempt"),
      },
      { field: "raw", flags: "--raw", description: "every byte; else what carriage returns wrote over is left out" },
      trackingUri,
    ],
    examples: ["track logs @last", "track logs -f @last", "track logs 3f1c9a2e --attempt 1 --raw > log"],
    invoke: async (context, options, args) =>
      (await import("../commands/logs.ts")).logs(context, options, args[0] ?? ""),
  }),
  defineCommand<CompareOptions>({
    name: "compare",
    summary: "what differs between runs: params, metrics, command, commit",
    arguments: ["<run>", "<run...>"],
    options: [
      { field: "all", flags: "--all", description: "what is the same, system metrics and all tags, too" },
      watch,
      interval,
      json,
      trackingUri,
    ],
    examples: [
      "track compare @last @2",
      "track compare 3f1c9a2e gifted-otter-77 @last --all",
      "track compare @last @2 --watch",
    ],
    invoke: async (context, options, args) => (await import("../commands/compare.ts")).compare(context, options, args),
  }),
  defineCommand<PlotOptions>({
    name: "plot",
    summary: "draw metrics of runs in the terminal",
    arguments: ["<run...>"],
    options: [
      {
        field: "metrics",
        flags: "-m, --metric <metric>",
        description: "what to draw; repeatable, or a,b,c; left out: the only metric there is",
        parse: commaLists("-m"),
      },
      {
        field: "axis",
        flags: "--x <axis>",
        description: "step (default), time, or relative: time since the start of the run",
        parse: oneOf("--x", ["step", "time", "relative"]),
      },
      { field: "logY", flags: "--log-y", description: "logarithmic vertical axis" },
      {
        field: "smooth",
        flags: "--smooth <weight>",
        description: "moving average, 0 to below 1: the weight of what was before",
        parse: weight("--smooth"),
      },
      { field: "split", flags: "--split", description: "a chart for each metric" },
      watch,
      interval,
      json,
      trackingUri,
    ],
    defaults: { metrics: [], axis: "step" },
    examples: [
      "track plot @last -m loss --watch",
      "track plot @last @2 -m train_loss,val_loss --log-y --smooth 0.9",
      "track plot 3f1c9a2e -m loss -m accuracy --split --x relative",
    ],
    invoke: async (context, options, args) => (await import("../commands/plot.ts")).plot(context, options, args),
  }),
  defineCommand<ChangeRunsOptions>({
    name: "rm",
    summary: "delete runs; `track restore` brings them back",
    arguments: ["<run...>"],
    options: [force, trackingUri],
    examples: ["track rm 3f1c9a2e", "track rm @last gifted-otter-77 --force"],
    invoke: async (context, options, args) => (await import("../commands/rm.ts")).rm(context, options, args),
  }),
  defineCommand<ChangeRunsOptions>({
    name: "restore",
    summary: "bring deleted runs back",
    arguments: ["<run...>"],
    options: [force, trackingUri],
    examples: ["track restore 3f1c9a2e"],
    invoke: async (context, options, args) => (await import("../commands/restore.ts")).restore(context, options, args),
  }),
  defineCommand<ScrapeOptions>({
    name: "scrape",
    summary: "what `track run --scrape` would log of an output",
    options: [
      { field: "test", flags: "--test <file>", description: "the output; - for stdin", parse: text("--test") },
      {
        field: "scrape",
        flags: "--scrape <what>",
        description: "auto (default) or a pattern",
        parse: text("--scrape"),
      },
      json,
    ],
    defaults: { scrape: "auto" },
    examples: [
      "track scrape --test train.log",
      "./train.sh | track scrape --test - --scrape 'loss={loss} step={step}'",
    ],
    invoke: async (context, options) => (await import("../commands/scrape.ts")).scrape(context, options),
  }),
];
