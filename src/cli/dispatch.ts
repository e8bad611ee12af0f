import type { CommandSpec, ParsedArguments } from "./command-spec.ts";
import { variable } from "../settings/tracking-uri.ts";
import type { Context } from "./context.ts";
import { findCommand, parseArguments } from "./parse-arguments.ts";
import { loggingCommands } from "./specs/logging-commands.ts";
import { wrappingCommands } from "./specs/wrapping-commands.ts";

/** What a command or a script waits for; the specs of the others are loaded where none of these is meant. */
const urgentCommands: readonly CommandSpec[] = [...wrappingCommands, ...loggingCommands];

/** Runs the command that `argv` names; resolves to the exit code. `table` is for tests of the parsing. */
export async function dispatch(
  context: Context,
  argv: readonly string[],
  table?: readonly CommandSpec[],
): Promise<number> {
  const plain = parsePlain(table ?? urgentCommands, argv);
  if (plain !== undefined) return run(context, plain.spec, plain.parsed);
  const { commandTable, groupSummaries } = await import("./command-table.ts");
  const other = table === undefined ? parsePlain(commandTable, argv) : undefined;
  if (other !== undefined) return run(context, other.spec, other.parsed);
  const { parseWithCommander } = await import("./program.ts");
  const commands = { table: table ?? commandTable, groups: groupSummaries };
  const answer = parseWithCommander(commands, argv, context.io);
  return answer.kind === "answered" ? answer.exitCode : run(context, answer.spec, answer.parsed);
}

function parsePlain(table: readonly CommandSpec[], argv: readonly string[]) {
  const found = findCommand(table, argv);
  const parsed = found === undefined ? undefined : parseArguments(found.spec, found.rest);
  return found === undefined || parsed === undefined ? undefined : { spec: found.spec, parsed };
}

async function run(context: Context, spec: CommandSpec, parsed: ParsedArguments): Promise<number> {
  if (needsConfig(context, spec, parsed)) {
    const loading = context.loadConfig(wrappingCommands.find(({ name }) => name === "run")?.options ?? []);
    // Where there is nothing to read, a command that waits is not kept for a turn of the event loop.
    if (loading !== undefined) await loading;
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
