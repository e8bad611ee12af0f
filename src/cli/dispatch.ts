import type { CommandSpec, ParsedArguments } from "./command-spec.ts";
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
  const exitCode = await spec.invoke(context, parsed);
  return exitCode ?? 0;
}
