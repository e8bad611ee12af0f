import { type CommandSpec, defineCommand, type TypedOption } from "../command-spec.ts";
import type { ArtifactsOptions } from "../commands/artifacts.ts";
import type { AssertOptions } from "../commands/assert.ts";
import { endedStatuses } from "../../entities/run-status.ts";
import type { EndOptions } from "../commands/end-options.ts";
import { shellSyntaxes } from "../launch/shell-syntax.ts";
import type { ExportOptions } from "../commands/export.ts";
import type { GetOptions, ValueKind } from "../commands/get.ts";
import type { ImportOptions } from "../commands/import.ts";
import type { WaitOptions } from "../commands/wait.ts";
import { durationMs, exitCode, oneOf, text } from "../option-values.ts";
import { json, trackingUri } from "./shared-options.ts";

const getCommands: readonly { readonly kind: ValueKind; readonly examples: readonly string[] }[] = [
  { kind: "metric", examples: ["track get metric @last loss", 'loss=$(track get metric "$run_id" val/loss)'] },
  { kind: "param", examples: ["track get param @last lr", 'lr=$(track get param "$run_id" lr)'] },
  { kind: "tag", examples: ["track get tag @last track.exit_code", "track get tag 3f1c9a2e mlflow.source.git.commit"] },
];

const force: TypedOption<ArtifactsOptions> = {
  field: "force",
  flags: "--force",
  description: "write over what is there",
};

export const pipelineCommands: readonly CommandSpec[] = [
  defineCommand<WaitOptions>({
    name: "wait",
    summary: "wait until runs have ended; succeeds when all are FINISHED",
    arguments: ["<run...>"],
    options: [
      {
        field: "timeoutMs",
        flags: "--timeout <duration>",
        description: "give up after this long (exit code 1)",
        parse: durationMs("--timeout", { canBeZero: true }),
      },
      json,
      trackingUri,
    ],
    examples: ["track wait @last && ./evaluate.sh", "track wait 3f1c9a2e gifted-otter-77 --timeout 2h"],
    invoke: async (context, options, args) => (await import("../commands/wait.ts")).wait(context, options, args),
  }),
  defineCommand<AssertOptions>({
    name: "assert",
    summary: "succeed when a run matches a filter, for CI gates",
    arguments: ["<filter>", "<run>"],
    options: [json, trackingUri],
    examples: [
      "track assert 'metrics.accuracy > 0.9' @last",
      `track assert "attributes.status = 'FINISHED' AND metrics.loss < 0.5" 3f1c9a2e || exit 1`,
    ],
    invoke: async (context, options, args) =>
      (await import("../commands/assert.ts")).assertRun(context, options, args[0] ?? "", args[1] ?? ""),
  }),
  ...getCommands.map(({ kind, examples }) =>
    defineCommand<GetOptions>({
      name: `get ${kind}`,
      summary: `print the ${kind === "metric" ? "latest value of a metric" : `value of a ${kind}`}`,
      arguments: ["<run>", "<key>"],
      options: [json, trackingUri],
      examples,
      invoke: async (context, options, args) =>
        (await import("../commands/get.ts")).get(context, options, { kind, run: args[0] ?? "", key: args[1] ?? "" }),
    }),
  ),
  defineCommand<ArtifactsOptions>({
    name: "artifacts ls",
    summary: "list the artifacts of a run",
    arguments: ["<run>", "[path]"],
    options: [
      { field: "recursive", flags: "-r, --recursive", description: "all files below, folders walked through" },
      json,
      trackingUri,
    ],
    examples: ["track artifacts ls @last", "track artifacts ls 3f1c9a2e checkpoints -r"],
    invoke: async (context, options, args) =>
      (await import("../commands/artifacts.ts")).listArtifacts(context, options, args[0] ?? "", args[1] ?? ""),
  }),
  defineCommand<ArtifactsOptions>({
    name: "artifacts get",
    summary: "copy an artifact, or all of a run, and print where it is",
    arguments: ["<run>", "[path]"],
    options: [
      {
        field: "output",
        flags: "-o, --output <path>",
        description: "where to; - is stdout; default: its own name in this folder",
        parse: text("--output"),
      },
      force,
      trackingUri,
    ],
    examples: [
      "track artifacts get @last model.bin",
      "track artifacts get 3f1c9a2e checkpoints -o /tmp/checkpoints",
      "track artifacts get @last console/attempt-1.log -o - | grep -i warning",
    ],
    invoke: async (context, options, args) =>
      (await import("../commands/artifacts.ts")).getArtifacts(context, options, args[0] ?? "", args[1] ?? ""),
  }),
  defineCommand<EndOptions>({
    name: "end",
    summary: "end the run of this shell (track start), or one that nothing will end any more",
    arguments: ["[run]"],
    options: [
      {
        field: "status",
        flags: "--status <status>",
        description: "finished, failed or killed; default finished",
        parse: oneOf("--status", endedStatuses),
      },
      {
        field: "exitCode",
        flags: "--status-from <exit code>",
        description: "the status that `track run` gives a command with this exit code",
        parse: exitCode("--status-from"),
      },
      {
        field: "syncTimeoutMs",
        flags: "--sync-timeout <duration>",
        description: "how long this shell's run may be waited for until it is stored; default 30s",
        parse: durationMs("--sync-timeout", { canBeZero: true }),
      },
      {
        field: "printEnv",
        flags: "--print-env",
        description: 'print what puts the shell\'s variables back: eval "$(track end --print-env)"',
      },
      {
        field: "shell",
        flags: "--shell <shell>",
        description: "for --print-env: bash, dash, fish, sh or zsh; default: the one that calls",
        parse: oneOf("--shell", shellSyntaxes),
      },
      { field: "quiet", flags: "--quiet", description: "do not say how the run ended" },
      json,
      trackingUri,
    ],
    examples: [
      "trap 'track end --status-from $?' EXIT",
      'eval "$(track end --print-env)"',
      "track end 3f1c9a2e --status killed",
      "track end @last --status-from 137",
    ],
    invoke: async (context, options, args) => (await import("../commands/end.ts")).end(context, options, args[0]),
  }),
  defineCommand<ExportOptions>({
    name: "export",
    summary: "write everything of runs to stdout, as NDJSON",
    arguments: ["<run...>"],
    options: [
      {
        field: "artifacts",
        flags: "--artifacts <dir>",
        description: "copy the artifacts there, to <dir>/<run id>",
        parse: text("--artifacts"),
      },
      { field: "listArtifacts", flags: "--list-artifacts", description: "name the artifacts and their sizes" },
      trackingUri,
    ],
    examples: [
      "track export @last > run.ndjson",
      "track export 3f1c9a2e gifted-otter-77 --artifacts files | gzip > runs.ndjson.gz",
    ],
    invoke: async (context, options, args) =>
      (await import("../commands/export.ts")).exportRuns(context, options, args),
  }),
  defineCommand<ImportOptions>({
    name: "import",
    summary: "take runs from an export, an mlruns folder or another tracking URI; again is harmless",
    arguments: ["<source>"],
    options: [
      {
        field: "artifacts",
        flags: "--artifacts <dir>",
        description: "the folder that `track export --artifacts` filled",
        parse: text("--artifacts"),
      },
      {
        field: "withArtifacts",
        flags: "--no-artifacts",
        description: "leave the artifacts where they are",
        value: false,
      },
      json,
      { ...trackingUri, description: "where the runs go (MLFLOW_TRACKING_URI); default: mlflow.db in this folder" },
    ],
    examples: [
      "track import runs.ndjson --artifacts files",
      "track import ./mlruns",
      "track import sqlite:////old/mlflow.db --tracking-uri https://mlflow.example.org",
    ],
    invoke: async (context, options, args) =>
      (await import("../commands/import.ts")).importRuns(context, options, args[0] ?? ""),
  }),
];
