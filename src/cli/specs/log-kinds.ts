import type { TypedOption } from "../command-spec.ts";
import type { LogKind, LogOptions } from "../commands/log.ts";
import { integer, text } from "../option-values.ts";

/** What `track log` can be told. */
export interface LogCommandOptions extends LogOptions {
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

/** Options of every kind. */
export const anyKind: readonly TypedOption<LogCommandOptions>[] = [
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

/** One `track log <kind>`, without what runs it. */
export interface LogCommand {
  readonly kind: LogKind;
  readonly summary: string;
  readonly words: readonly string[];
  readonly options?: readonly TypedOption<LogCommandOptions>[];
  readonly examples: readonly string[];
}

/** All kinds, in the order of the help. */
export const logCommands: readonly LogCommand[] = [
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
