import type { CommandSpec, ParsedArguments } from "./command-spec.ts";
import { variable } from "../settings/tracking-uri.ts";
import { commandTable, groupSummaries } from "./command-table.ts";
import type { Context } from "./context.ts";
import { findCommand, parseArguments } from "./parse-arguments.ts";

/** Runs the command that `argv` names; resolves to the exit code. `table` is for tests of the parsing. */
export async function dispatch(
  context: Context,
  argv: readonly string[],
  table: readonly CommandSpec[] = commandTable,
): Promise<number> {
  const found = findCommand(table, argv);
  const parsed = found === undefined ? undefined : parseArguments(found.spec, found.rest);
  if (found !== undefined && parsed !== undefined) return run(context, found.spec, parsed);
  const { parseWithCommander } = await import("./program.ts");
  const answer = parseWithCommander({ table, groups: groupSummaries }, argv, context.io);
  return answer.kind === "answered" ? answer.exitCode : run(context, answer.spec, answer.parsed);
}

async function run(context: Context, spec: CommandSpec, parsed: ParsedArguments): Promise<number> {
  if (needsConfig(context, spec, parsed)) {
    await context.loadConfig(commandTable.find(({ name }) => name === "run")?.options ?? []);
  }
  const exitCode = await spec.invoke(context, parsed);
  return exitCode ?? 0;
}

/** Commands that only look into a store need no more than its place, and inside a run that is known. */
function needsConfig(context: Context, spec: CommandSpec, { options }: ParsedArguments): boolean {
  if (spec.takesSettings) return true;
  if (options["trackingUri"] !== undefined || variable(context.env, "MLFLOW_TRACKING_URI") !== undefined) return false;
  const opensStore = spec.options.some(({ field }) => field === "trackingUri");
  // `track log` without `--run` only speaks to the run that it is part of.
  return opensStore && (!spec.name.startsWith("log ") || options["run"] !== undefined);
}
