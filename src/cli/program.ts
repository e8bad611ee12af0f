import { Command, CommanderError, Help, Option } from "commander";
import { UsageError } from "../errors.ts";
import { version } from "../util/version.ts";
import type { CommandSpec, OptionSpec, ParsedArguments } from "./command-spec.ts";
import type { Io } from "./io.ts";

/** What commander made of a command line: a command to run, or something it has answered itself, such as `--help`. */
export type ProgramAnswer =
  | { readonly kind: "command"; readonly spec: CommandSpec; readonly parsed: ParsedArguments }
  | { readonly kind: "answered"; readonly exitCode: number };

export interface Commands {
  readonly table: readonly CommandSpec[];
  /** What the first word of a two-word command is about, for its help. */
  readonly groups: Readonly<Record<string, string>>;
}

/**
 * Parses with commander, which explains what is wrong, suggests what was meant and prints help.
 * A mistake is a `UsageError`; it runs no command.
 */
export function parseWithCommander(commands: Commands, argv: readonly string[], io: Io): ProgramAnswer {
  let answer: ProgramAnswer = { kind: "answered", exitCode: 0 };
  const program = createProgram(commands, io, (spec, parsed) => {
    answer = { kind: "command", spec, parsed };
  });
  try {
    program.parse(argv, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // Help that was not asked for: `track` alone, `track log` alone.
    if (error.code === "commander.help") return { kind: "answered", exitCode: 2 };
    if (error.exitCode !== 0) throw asUsageError(error, commandWords(commands, argv));
  }
  return answer;
}

type OnCommand = (spec: CommandSpec, parsed: ParsedArguments) => void;

function createProgram({ table, groups }: Commands, io: Io, onCommand: OnCommand): Command {
  const program = new Command("track")
    .description("Gives any command a run in an MLflow-compatible store.")
    .version(version, "-V, --version", "print the version")
    .enablePositionalOptions();
  // Before the children are made: they copy these settings.
  configure(program, io);
  for (const spec of table) addCommand(commandAt(program, spec.name, groups), spec, onCommand);
  return program;
}

function configure(program: Command, io: Io): void {
  program.exitOverride().configureOutput({
    writeOut: (text) => io.out(text),
    // Only unasked help comes here; messages are thrown as well, and main prints them in our own form.
    writeErr: (text) => io.out(text),
    outputError: () => {},
    getOutHelpWidth: () => (io.isTerminal ? io.columns : 100),
    getOutHasColors: () => false,
  });
  program.configureHelp({ subcommandTerm: (command) => shortTerm(command), showGlobalOptions: false });
}

/** A list of commands reads better without each one's options. */
function shortTerm(command: Command): string {
  return new Help().subcommandTerm(command).replace(" [options]", "");
}

function addCommand(command: Command, spec: CommandSpec, onCommand: OnCommand): void {
  command.description(spec.summary);
  if (spec.passThrough) command.passThroughOptions();
  for (const argument of spec.arguments) command.argument(argument);
  const options: Record<string, unknown> = { ...spec.defaults };
  for (const option of spec.options) addOption(command, option, options);
  if (spec.examples.length > 0) {
    command.addHelpText(
      "after",
      `\nExamples:\n${spec.examples.map((example) => `  $ ${example}\n`).join("")}`.trimEnd(),
    );
  }
  command.action(() => onCommand(spec, { options, args: command.args }));
}

/** The new command of this name; the group of a two-word name is made with its first command. */
function commandAt(program: Command, name: string, groups: Commands["groups"]): Command {
  const [first = "", second] = name.split(" ");
  if (second === undefined) return program.command(first);
  const group = program.commands.find((command) => command.name() === first);
  return (group ?? program.command(first).description(groups[first] ?? "")).command(second);
}

function addOption(command: Command, spec: OptionSpec, options: Record<string, unknown>): void {
  command.addOption(new Option(spec.flags, spec.description));
  // The event is commander's own way to tell that an option was typed, once for each use, in order.
  command.on(`option:${new Option(spec.flags).name()}`, (text: string | null) => {
    options[spec.field] = spec.parse === undefined ? (spec.value ?? true) : spec.parse(text ?? "", options[spec.field]);
  });
}

/** `error: unknown option '--foo'\n(Did you mean --for?)` → our line and our hint. */
function asUsageError(error: CommanderError, words: string): UsageError {
  const [first = "", second] = error.message.split("\n");
  const suggestion = /^\(Did you mean (.+)\?\)$/u.exec(second ?? "")?.[1];
  return new UsageError(first.replace(/^error: /u, ""), {
    hint: suggestion === undefined ? `track ${words}--help` : `did you mean ${suggestion}?`,
  });
}

function commandWords({ table, groups }: Commands, argv: readonly string[]): string {
  const [first = "", second = ""] = argv;
  if (table.some((spec) => spec.name === `${first} ${second}`)) return `${first} ${second} `;
  return first in groups || table.some((spec) => spec.name === first) ? `${first} ` : "";
}
