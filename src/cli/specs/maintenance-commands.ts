import { type CommandSpec, defineCommand } from "../command-spec.ts";
import type { ConfigCommandOptions } from "../commands/config.ts";
import type { DoctorOptions } from "../commands/doctor.ts";
import type { GcOptions } from "../commands/gc.ts";
import type { SyncCommandOptions } from "../commands/sync.ts";
import { durationMs, text } from "../option-values.ts";
import { json, trackingUri, yes } from "./shared-options.ts";

export const maintenanceCommands: readonly CommandSpec[] = [
  defineCommand<DoctorOptions>({
    name: "doctor",
    summary: "look at everything that recording needs: one line each, ok or what to do",
    options: [
      {
        field: "stale",
        flags: "--stale",
        description: "end RUNNING runs that nothing will end any more, by their heartbeat; asks first",
      },
      {
        field: "olderThanMs",
        flags: "--older-than <duration>",
        description: "how old the heartbeat of a stale run is; default 10m",
        parse: durationMs("--older-than", { canBeZero: false }),
      },
      yes,
      json,
      trackingUri,
    ],
    examples: ["track doctor", "track doctor --stale --older-than 1d"],
    invoke: async (context, options) => (await import("../commands/doctor.ts")).doctor(context, options),
  }),
  defineCommand<SyncCommandOptions>({
    name: "sync",
    summary: "send what journals hold: runs whose tracking server was away, or that were --offline",
    arguments: ["[journal...]"],
    options: [
      {
        field: "to",
        flags: "--to <uri>",
        description: "another store than the one that they were written for",
        parse: text("--to"),
      },
      { field: "dryRun", flags: "--dry-run", description: "only say what would be sent" },
    ],
    examples: ["track sync", "track sync --dry-run", "track sync /mnt/usb/journals --to https://mlflow.example.org"],
    invoke: async (context, options, journals) =>
      (await import("../commands/sync.ts")).sync(context, options, journals),
  }),
  defineCommand<GcOptions>({
    name: "gc",
    summary: "remove deleted runs with all rows and artifacts, and finished journals, for good; asks first",
    options: [
      {
        field: "olderThanMs",
        flags: "--older-than <duration>",
        description: "only what was deleted or finished so long ago",
        parse: durationMs("--older-than", { canBeZero: true }),
      },
      yes,
      json,
      trackingUri,
    ],
    examples: ["track gc", "track gc --older-than 30d --yes"],
    invoke: async (context, options) => (await import("../commands/gc.ts")).gc(context, options),
  }),
  defineCommand<ConfigCommandOptions>({
    name: "config",
    summary: "the settings of `track run` in this folder, and where each comes from",
    options: [json],
    takesSettings: true,
    examples: ["track config", "MLFLOW_EXPERIMENT_NAME=digits track config --json"],
    invoke: async (context, options) => (await import("../commands/config.ts")).config(context, options),
  }),
  defineCommand<object>({
    name: "completion",
    summary: "print the script that teaches bash, zsh or fish to complete track",
    arguments: ["<shell>"],
    examples: [
      "source <(track completion bash)",
      "track completion zsh > ~/.zfunc/_track",
      "track completion fish > ~/.config/fish/completions/track.fish",
    ],
    invoke: async (context, _options, args) =>
      (await import("../commands/completion.ts")).completion(context, args[0] ?? ""),
  }),
  defineCommand<object>({
    name: "completion candidates",
    summary: "what the last of these words may become; the scripts ask for it",
    arguments: ["[word...]"],
    passThrough: true,
    examples: ["track completion candidates -- show 3f1c"],
    takesSettings: true,
    invoke: async (context, _options, args) => (await import("../commands/completion.ts")).candidates(context, args),
  }),
];
