import { captureModes, type ResumeOptions, type RunOptions } from "../../settings/run-options.ts";
import type { StartOptions } from "../commands/start.ts";
import { run } from "../commands/run.ts";
import { type CommandSpec, defineCommand, type TypedOption } from "../command-spec.ts";
import { shellSyntaxes } from "../launch/shell-syntax.ts";
import {
  anyText,
  durationMs,
  oneOf,
  paramPairs,
  rank,
  seconds,
  sizeBytes,
  tagPairs,
  text,
  texts,
} from "../option-values.ts";

/** Options that `run` and `resume` share; cli.md describes each. */
const sharedOptions: readonly TypedOption<Omit<RunOptions, "runId" | "resumeKey">>[] = [
  {
    field: "experimentName",
    flags: "-e, --experiment <name>",
    description: "experiment of the run, created when missing (MLFLOW_EXPERIMENT_NAME)",
    parse: text("--experiment"),
  },
  {
    field: "experimentId",
    flags: "--experiment-id <id>",
    description: "the same by id (MLFLOW_EXPERIMENT_ID)",
    parse: text("--experiment-id"),
  },
  {
    field: "runName",
    flags: "-n, --run-name <name>",
    description: "default: a random name",
    parse: text("--run-name"),
  },
  { field: "tags", flags: "-t, --tag <key=value>", description: "a tag; repeatable", parse: tagPairs("-t") },
  { field: "params", flags: "-p, --param <key=value>", description: "a param; repeatable", parse: paramPairs("-p") },
  { field: "description", flags: "--description <text>", description: "what the run is for", parse: anyText },
  {
    field: "parentRunId",
    flags: "--parent-run-id <id>",
    description: "make the run a child of that run",
    parse: text("--parent-run-id"),
  },
  { field: "nested", flags: "--nested", description: "inside another `track run`: a child of it (default)" },
  { field: "nested", flags: "--no-nested", description: "inside another `track run`: a run of its own", value: false },
  {
    field: "trackingUri",
    flags: "--tracking-uri <uri>",
    description: "where to record (MLFLOW_TRACKING_URI); default: mlflow.db in this folder",
    parse: text("--tracking-uri"),
  },
  {
    field: "systemMetrics",
    flags: "--system-metrics",
    description: "sample the machine (default; MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING)",
  },
  { field: "systemMetrics", flags: "--no-system-metrics", description: "do not sample the machine", value: false },
  {
    field: "samplingIntervalSeconds",
    flags: "--sampling-interval <s>",
    description: "seconds between samples (MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL); default: 1, then 10",
    parse: seconds("--sampling-interval"),
  },
  {
    field: "capture",
    flags: "--capture <mode>",
    description: "console output: auto (default), pty, pipe or off",
    parse: oneOf("--capture", captureModes),
  },
  {
    field: "direct",
    flags: "--direct",
    description: "the command's MLflow clients go to the store themselves (as for srun, docker, ssh, ...)",
  },
  { field: "autolog", flags: "--autolog", description: "turn on MLflow's autologging in Python programs" },
  {
    field: "pythonHook",
    flags: "--no-python-hook",
    description: "leave PYTHONPATH alone: MLflow in the command is plain MLflow",
    value: false,
  },
  {
    field: "timeoutMs",
    flags: "--timeout <duration>",
    description: "terminate the command after this long (exit code 124)",
    parse: durationMs("--timeout", { canBeZero: false }),
  },
  {
    field: "graceMs",
    flags: "--grace <duration>",
    description: "after --timeout: kill it this much later; default 30s",
    parse: durationMs("--grace", { canBeZero: true }),
  },
  { field: "survive", flags: "--survive", description: "the command outlives a killed track" },
  { field: "strict", flags: "--strict", description: "do not start the command when recording cannot start" },
  {
    field: "offline",
    flags: "--offline",
    description: "ask no tracking server for anything: the journal keeps all for `track sync`",
  },
  {
    field: "syncTimeoutMs",
    flags: "--sync-timeout <duration>",
    description: "how long the end may wait for the store; default 30s",
    parse: durationMs("--sync-timeout", { canBeZero: true }),
  },
  {
    field: "consoleLimitBytes",
    flags: "--console-limit <size>",
    description: "cap of the stored console log; default 1GB",
    parse: sizeBytes("--console-limit"),
  },
  {
    field: "scrape",
    flags: "--scrape <what>",
    description: "take metrics from the output: auto, off (default) or a pattern such as 'loss={loss} step={step}'",
    parse: text("--scrape"),
  },
  {
    field: "tensorboard",
    flags: "--tensorboard <dir>",
    description: "take metrics from TensorBoard's event files in and below this folder; repeatable",
    parse: texts("--tensorboard"),
  },
  {
    field: "paramsFromArgs",
    flags: "--params-from-args",
    description: "params from the command's own options: --lr 0.01, --lr=0.01, lr=0.01",
  },
  { field: "redact", flags: "--no-redact", description: "store secrets too", value: false },
  {
    field: "rank",
    flags: "--rank <which>",
    description:
      "rank 0 owns the run, the others join it: auto (default, by srun's, torchrun's or mpirun's variables), a number, off",
    parse: rank("--rank"),
  },
  {
    field: "runIdFile",
    flags: "--run-id-file <file>",
    description: "write the run id there before the command starts",
    parse: text("--run-id-file"),
  },
  {
    field: "summaryFile",
    flags: "--summary-file <file>",
    description: "write a JSON summary there at the end",
    parse: text("--summary-file"),
  },
  { field: "quiet", flags: "--quiet", description: "do not say anything about the run" },
];

const runIdOption: TypedOption<RunOptions> = {
  field: "runId",
  flags: "--run-id <id>",
  description: "go on with an existing run (MLFLOW_RUN_ID)",
  parse: text("--run-id"),
};

/** What is about a command, its output and its end is nothing to a shell. */
const commandFields = new Set<string>(
  "rank capture timeoutMs graceMs survive syncTimeoutMs consoleLimitBytes scrape paramsFromArgs summaryFile".split(" "),
);
const startOptions = sharedOptions.filter(({ field }) => !commandFields.has(field));
const resumeKeyOption: TypedOption<RunOptions> = {
  field: "resumeKey",
  flags: "--resume-key <text>",
  description: "go on with the run of this key, else make it (requeued Slurm jobs need none)",
  parse: text("--resume-key"),
};

export const wrappingCommands: readonly CommandSpec[] = [
  defineCommand<RunOptions>({
    name: "run",
    summary: "run a command and record it",
    arguments: ["[command...]"],
    options: [runIdOption, resumeKeyOption, ...sharedOptions],
    defaults: { tags: [], params: [] },
    passThrough: true,
    takesSettings: true,
    examples: [
      "track run -- python train.py --epochs 5",
      "track run -e digits -p lr=0.01 -t team=vision python train.py",
      "track run --timeout 2h --run-name night ./train.sh",
    ],
    invoke: run,
  }),
  defineCommand<ResumeOptions>({
    name: "resume",
    summary: "go on with a run: its next attempt",
    arguments: ["<run>", "[command...]"],
    options: [{ field: "force", flags: "--force", description: "even if the run seems to be alive" }, ...sharedOptions],
    defaults: { tags: [], params: [] },
    takesSettings: true,
    examples: ["track resume @last", "track resume 3f1c9a2e -- python train.py --epochs 10"],
    invoke: async (context, options, args) => {
      const [run = "", ...command] = args;
      return (await import("../commands/resume.ts")).resume(context, options, run, command);
    },
  }),
  defineCommand<StartOptions>({
    name: "start",
    summary: "open a run for the rest of a shell script; its output is not captured",
    options: [
      runIdOption,
      { field: "force", flags: "--force", description: "with --run-id: even if the run seems to be alive" },
      ...startOptions,
      {
        field: "shell",
        flags: "--shell <shell>",
        description: "bash, dash, fish, sh or zsh; default: the one that calls",
        parse: oneOf("--shell", shellSyntaxes),
      },
    ],
    defaults: { tags: [], params: [] },
    takesSettings: true,
    examples: [
      "eval \"$(track start -e sweep)\"; trap 'track end --status-from $?' EXIT",
      "track start --shell fish | source",
      'eval "$(track start --run-id 0123456789abcdef0123456789abcdef)"',
    ],
    invoke: async (context, options) => (await import("../commands/start.ts")).start(context, options),
  }),
];
