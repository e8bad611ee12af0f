import { type CommandSpec, flagWords, type OptionSpec, type ParsedArguments } from "./command-spec.ts";

/** The command that `argv` names, and what follows its name; `undefined` when there is none. */
export function findCommand(
  table: readonly CommandSpec[],
  argv: readonly string[],
): { readonly spec: CommandSpec; readonly rest: readonly string[] } | undefined {
  for (const words of [2, 1]) {
    const name = argv.slice(0, words).join(" ");
    const spec = table.find((candidate) => candidate.name === name);
    if (spec !== undefined && argv.length >= words) return { spec, rest: argv.slice(words) };
  }
  return undefined;
}

/**
 * Parses plain command lines in microseconds; loading commander takes 10 ms, which the wrapped command would wait for.
 * `undefined` where there is anything to explain (`--help`, a mistake, a rare spelling): commander then parses it.
 * Where both parse, they agree. Throws the `UsageError` of an option's `parse`.
 */
export function parseArguments(spec: CommandSpec, rest: readonly string[]): ParsedArguments | undefined {
  const options: Record<string, unknown> = { ...spec.defaults };
  const args: string[] = [];
  for (let index = 0; index < rest.length; index += 1) {
    const word = rest[index] ?? "";
    if (word === "--") {
      args.push(...rest.slice(index + 1));
      break;
    }
    if (!word.startsWith("-") || word === "-") {
      if (spec.passThrough) {
        args.push(...rest.slice(index));
        break;
      }
      args.push(word);
      continue;
    }
    const taken = readOption(spec, options, word, rest[index + 1]);
    if (taken === 0) return undefined;
    index += taken - 1;
  }
  return fits(spec.arguments, args.length) ? { options, args } : undefined;
}

/** Stores the option's value; answers how many words it took, 0 when it is not understood. */
function readOption(
  spec: CommandSpec,
  options: Record<string, unknown>,
  word: string,
  next: string | undefined,
): 0 | 1 | 2 {
  const equals = word.startsWith("--") ? word.indexOf("=") : -1;
  const flag = equals === -1 ? word : word.slice(0, equals);
  const option = spec.options.find((candidate) => flagWords(candidate).includes(flag));
  if (option === undefined) return 0;
  if (option.parse === undefined) {
    if (equals !== -1) return 0;
    options[option.field] = option.value ?? true;
    return 1;
  }
  const text = equals === -1 ? next : word.slice(equals + 1);
  if (text === undefined) return 0;
  options[option.field] = readValue(option, text, options[option.field]);
  return equals === -1 ? 2 : 1;
}

function readValue(option: OptionSpec, text: string, previous: unknown): unknown {
  return option.parse === undefined ? option.value : option.parse(text, previous);
}

function fits(declared: readonly string[], count: number): boolean {
  const required = declared.filter((argument) => argument.startsWith("<")).length;
  const isOpen = declared.some((argument) => argument.includes("..."));
  return count >= required && (isOpen || count <= declared.length);
}
