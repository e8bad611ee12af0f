import { type CommandSpec, defineCommand, type TypedOption } from "../command-spec.ts";
import type { LogKind, LogOptions } from "../commands/log.ts";
import type { Context } from "../context.ts";
import { integer, text } from "../option-values.ts";

interface LogCommandOptions extends LogOptions {
  readonly trackingUri?: string;
}

const step: TypedOption<LogCommandOptions> = {
  field: "step",
  flags: "--step <n>",
  description: "step of the metrics; default 0",
  parse: integer("--step"),
};

const timestamp: TypedOption<LogCommandOptions> = {
  field: "timestamp",
  flags: "--timestamp <ms>",
  description: "time of the metrics in ms since 1970; default now",
  parse: integer("--timestamp"),
};

const artifactPath: TypedOption<LogCommandOptions> = {
  field: "artifactPath",
  flags: "--artifact-path <dir>",
  description: "folder below the run's artifacts",
  parse: text("--artifact-path"),
};

const anyKind: readonly TypedOption<LogCommandOptions>[] = [
  {
    field: "run",
    flags: "--run <run>",
    description: "write to this run; default: the run that this script belongs to",
    parse: text("--run"),
  },
  {
    field: "trackingUri",
    flags: "--tracking-uri <uri>",
    description: "with --run: where the run is (MLFLOW_TRACKING_URI)",
    parse: text("--tracking-uri"),
  },
];

interface LogCommand {
  readonly kind: LogKind;
  readonly summary: string;
  readonly words: readonly string[];
  readonly options?: readonly TypedOption<LogCommandOptions>[];
  readonly examples: readonly string[];
}

const logCommands: readonly LogCommand[] = [
  {
    kind: "metric",
    summary: "log metrics",
    words: ["<key=value...>"],
    options: [step, timestamp],
    examples: ["track log metric loss=0.31 acc=0.9 --step 10"],
  },
  {
    kind: "param",
    summary: "log params, each once",
    words: ["<key=value...>"],
    examples: ["track log param lr=0.01 opt=adam"],
  },
  { kind: "tag", summary: "set tags", words: ["<key=value...>"], examples: ["track log tag phase=warm-up"] },
  {
    kind: "artifact",
    summary: "copy files or folders to the run",
    words: ["<path...>"],
    options: [artifactPath],
    examples: ["track log artifact model.bin plots/ --artifact-path epoch-3"],
  },
  {
    kind: "text",
    summary: "write a text to a file of the run",
    words: ["<artifact-file>", "[text]"],
    examples: ['track log text notes/a.txt "it works"', "nvidia-smi | track log text gpu.txt -"],
  },
  {
    kind: "batch",
    summary: "log lines of JSON, as on the socket",
    words: ["[file]"],
    examples: ["track log batch points.ndjson", "./convert | track log batch -"],
  },
];

export const loggingCommands: readonly CommandSpec[] = logCommands.map((command) =>
  defineCommand<LogCommandOptions>({
    name: `log ${command.kind}`,
    summary: command.summary,
    arguments: command.words,
    options: [...(command.options ?? []), ...anyKind],
    examples: command.examples,
    invoke: async (context, options, args) => {
      const { log } = await import("../commands/log.ts");
      return log(logContext(context, options), command.kind, args, options);
    },
  }),
);

function logContext(context: Context, options: LogCommandOptions) {
  return {
    io: context.io,
    env: context.env,
    get cwd() {
      return context.cwd;
    },
    now: () => context.now(),
    stdin: () => context.stdin(),
    findLiveRun: async (run: string) =>
      (await import("../find-live-run.ts")).findLiveRun(context, run, options.trackingUri),
    openRunWriter: async (run: string) =>
      (await import("../open-run-writer.ts")).openRunWriter(context, run, options.trackingUri),
  };
}
