import type { Context } from "./context.ts";

/** One option of a command. `parse` is absent for an option without a value, which then means `value`. */
export interface OptionSpec {
  /** Name of the field in the command's options. */
  readonly field: string;
  /** As commander writes it: `-e, --experiment <name>`. */
  readonly flags: string;
  readonly description: string;
  readonly value?: unknown;
  /** Throws `UsageError`. `previous` is what an earlier use of the option gave. */
  readonly parse?: (text: string, previous: unknown) => unknown;
}

/** A command as it was typed: fields of `options` that are neither typed nor defaults are absent. */
export interface ParsedArguments {
  readonly options: Readonly<Record<string, unknown>>;
  readonly args: readonly string[];
}

/** One command. Both parsers are made from it: the plain one (`parse-arguments.ts`) and commander's (`program.ts`). */
export interface CommandSpec {
  /** Words after `track`: `run`, `experiments create`. */
  readonly name: string;
  readonly summary: string;
  /** As commander writes them: `<run...>`, `[command...]`. */
  readonly arguments: readonly string[];
  readonly options: readonly OptionSpec[];
  readonly defaults: Readonly<Record<string, unknown>>;
  /** Shown under `--help`, without the `$ `. */
  readonly examples: readonly string[];
  /** From the first argument on nothing is ours: `track run python train.py --epochs 5`. */
  readonly passThrough: boolean;
  /** It needs all settings of the config files, not just the tracking URI. */
  readonly takesSettings: boolean;
  /** Runs the command; what it resolves to is the exit code, 0 by default. */
  invoke(context: Context, parsed: ParsedArguments): Promise<number | void>;
}

/** What a command file and its entry say; `Options` is the options interface of the command file. */
export interface CommandDefinition<Options> {
  readonly name: string;
  readonly summary: string;
  readonly arguments?: readonly string[];
  readonly options?: readonly TypedOption<Options>[];
  readonly defaults?: Partial<Options>;
  readonly examples: readonly string[];
  readonly passThrough?: boolean;
  readonly takesSettings?: boolean;
  /** Loads the command file by `import()` and calls its function. */
  readonly invoke: (context: Context, options: Options, args: readonly string[]) => Promise<number | void>;
}

/** An option whose values fit its field in `Options`. */
export type TypedOption<Options> = {
  [Field in keyof Options & string]: OptionSpec & {
    readonly field: Field;
    readonly value?: Required<Options>[Field];
    readonly parse?: (text: string, previous: unknown) => Required<Options>[Field];
  };
}[keyof Options & string];

export function defineCommand<Options extends object>(definition: CommandDefinition<Options>): CommandSpec {
  return {
    name: definition.name,
    summary: definition.summary,
    arguments: definition.arguments ?? [],
    options: definition.options ?? [],
    defaults: { ...definition.defaults },
    examples: definition.examples,
    passThrough: definition.passThrough ?? false,
    takesSettings: definition.takesSettings ?? false,
    // `options` and `defaults` were checked against `Options` above; required fields are covered by `defaults`.
    invoke: (context, parsed) => definition.invoke(context, parsed.options as Options, parsed.args),
  };
}

/** Flag words of an option: `-e, --experiment <name>` → `["-e", "--experiment"]`. */
export function flagWords(option: OptionSpec): string[] {
  return option.flags.split(/[ ,]+/u).filter((word) => word.startsWith("-"));
}
