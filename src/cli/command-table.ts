import type { CommandSpec } from "./command-spec.ts";
import { experimentCommands } from "./specs/experiment-commands.ts";
import { loggingCommands } from "./specs/logging-commands.ts";
import { lookingCommands } from "./specs/looking-commands.ts";
import { maintenanceCommands } from "./specs/maintenance-commands.ts";
import { pipelineCommands } from "./specs/pipeline-commands.ts";
import { wrappingCommands } from "./specs/wrapping-commands.ts";

/** Every command of `track`, in the order of `track --help`. A new one is a file in commands/ and an entry in specs/. */
export const commandTable: readonly CommandSpec[] = [
  ...wrappingCommands,
  ...loggingCommands,
  ...lookingCommands,
  ...experimentCommands,
  ...pipelineCommands,
  ...maintenanceCommands,
];

/** What the first word of a two-word command is about, where that word is no command itself. */
export const groupSummaries: Readonly<Record<string, string>> = {
  log: "log from a script: metrics, params, tags, artifacts",
  get: "print one value of a run, for $(...)",
  artifacts: "list and copy the artifacts of a run",
};
