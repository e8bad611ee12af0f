import { TrackError } from "../errors.ts";
import { type Environment, variable } from "../settings/tracking-uri.ts";
import { type CommandSpec, defineCommand } from "./command-spec.ts";
import { log, type LogKind, type LogOptions } from "./commands/log.ts";
import { createIo } from "./io.ts";
import { findCommand, parseArguments } from "./parse-arguments.ts";
import { anyKind, type LogCommandOptions, logCommands } from "./specs/log-kinds.ts";
import { tellError } from "./tell-error.ts";

/**
 * `track log metric`, `param` and `tag` inside a run, without the rest of `track`, whose loading takes longer than all of this.
 * Resolves to the exit code; `undefined` for any other command line, of which nothing has been done then.
 */
export function logQuickly(argv: readonly string[], env: Environment): Promise<number> | undefined {
  if (variable(env, "TRACK_SOCKET") === undefined) return undefined;
  const found = findCommand(specs, argv);
  const parsed = found === undefined ? undefined : parseOrNothing(found.spec, found.rest);
  if (found === undefined || parsed === undefined || parsed.options["run"] !== undefined) return undefined;
  const kind = found.spec.name.slice("log ".length) as LogKind;
  return say(env, kind, parsed.args, parsed.options);
}

const quickKinds: ReadonlySet<LogKind> = new Set(["metric", "param", "tag"]);

const specs: readonly CommandSpec[] = logCommands
  .filter(({ kind }) => quickKinds.has(kind))
  .map(({ kind, words, options, summary, examples }) =>
    defineCommand<LogCommandOptions>({
      name: `log ${kind}`,
      summary,
      examples,
      arguments: words,
      options: [...(options ?? []), ...anyKind],
      invoke: () => Promise.resolve(),
    }),
  );

/** A mistake is explained by `track` itself. */
function parseOrNothing(spec: CommandSpec, rest: readonly string[]): ReturnType<typeof parseArguments> {
  try {
    return parseArguments(spec, rest);
  } catch (error) {
    if (error instanceof TrackError) return undefined;
    throw error;
  }
}

async function say(env: Environment, kind: LogKind, words: readonly string[], options: LogOptions): Promise<number> {
  const io = createIo(env);
  const elsewhere = (): Promise<never> => Promise.reject(new Error("only inside a run"));
  try {
    await log(
      { env, io, cwd: "", now: Date.now, stdin: readNothing, findLiveRun: elsewhere, openRunWriter: elsewhere },
      kind,
      words,
      options,
    );
    return 0;
  } catch (error) {
    tellError({ io, env }, error);
    return error instanceof TrackError ? error.exitCode : 1;
  }
}

async function* readNothing(): AsyncGenerator<Uint8Array> {}
