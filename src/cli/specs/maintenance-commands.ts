import { type CommandSpec, defineCommand } from "../command-spec.ts";
import type { ConfigCommandOptions } from "../commands/config.ts";
import { json } from "./shared-options.ts";

export const maintenanceCommands: readonly CommandSpec[] = [
  defineCommand<ConfigCommandOptions>({
    name: "config",
    summary: "the settings of `track run` in this folder, and where each comes from",
    options: [json],
    takesSettings: true,
    examples: ["track config", "MLFLOW_EXPERIMENT_NAME=digits track config --json"],
    invoke: async (context, options) => (await import("../commands/config.ts")).config(context, options),
  }),
];
