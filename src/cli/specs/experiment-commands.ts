import { type CommandSpec, defineCommand } from "../command-spec.ts";
import type { ExperimentsOptions } from "../commands/experiments.ts";
import { text } from "../option-values.ts";
import { mlflowJson, trackingUri } from "./shared-options.ts";

const listExperiments = {
  options: [
    {
      field: "viewType",
      flags: "--all",
      description: "deleted ones, too",
      value: "ALL",
    },
    mlflowJson,
    trackingUri,
  ],
  defaults: { viewType: "ACTIVE_ONLY" },
  examples: ["track experiments", "track experiments --json"],
  invoke: async (context, options) => (await import("../commands/experiments.ts")).listExperiments(context, options),
} as const satisfies Partial<Parameters<typeof defineCommand<ExperimentsOptions>>[0]>;

export const experimentCommands: readonly CommandSpec[] = [
  defineCommand<ExperimentsOptions>({
    name: "experiments",
    summary: "list and manage experiments",
    ...listExperiments,
  }),
  defineCommand<ExperimentsOptions>({ name: "experiments ls", summary: "list experiments", ...listExperiments }),
  defineCommand<ExperimentsOptions>({
    name: "experiments create",
    summary: "create an experiment and print its id",
    arguments: ["<name>"],
    options: [
      {
        field: "artifactLocation",
        flags: "--artifact-location <uri>",
        description: "where its runs keep their artifacts",
        parse: text("--artifact-location"),
      },
      trackingUri,
    ],
    examples: ["track experiments create digits"],
    invoke: async (context, options, args) =>
      (await import("../commands/experiments.ts")).createExperiment(context, options, args[0] ?? ""),
  }),
  defineCommand<ExperimentsOptions>({
    name: "experiments rename",
    summary: "give an experiment another name",
    arguments: ["<experiment>", "<name>"],
    options: [trackingUri],
    examples: ["track experiments rename digits mnist"],
    invoke: async (context, options, args) =>
      (await import("../commands/experiments.ts")).renameExperiment(context, options, {
        experiment: args[0] ?? "",
        name: args[1] ?? "",
      }),
  }),
  defineCommand<ExperimentsOptions>({
    name: "experiments delete",
    summary: "delete experiments and their runs; `restore` brings them back",
    arguments: ["<experiment...>"],
    options: [{ field: "force", flags: "--force", description: "also where runs of theirs are alive" }, trackingUri],
    examples: ["track experiments delete digits"],
    invoke: async (context, options, args) =>
      (await import("../commands/experiments.ts")).deleteExperiments(context, options, args),
  }),
  defineCommand<ExperimentsOptions>({
    name: "experiments restore",
    summary: "bring deleted experiments back, with their runs",
    arguments: ["<experiment...>"],
    options: [trackingUri],
    examples: ["track experiments restore digits"],
    invoke: async (context, options, args) =>
      (await import("../commands/experiments.ts")).restoreExperiments(context, options, args),
  }),
];
