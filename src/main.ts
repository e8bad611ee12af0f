import { type Context, createContext } from "./cli/context.ts";
import { dispatch } from "./cli/dispatch.ts";
import { oneLine, OutputClosedError } from "./cli/io.ts";
import { TrackError, UsageError } from "./errors.ts";

/** `track` with these arguments; resolves to the exit code, never rejects: whatever is thrown is told on stderr here. */
export async function main(argv: readonly string[], context: Context = createContext()): Promise<number> {
  try {
    return await dispatch(context, argv);
  } catch (error) {
    if (error instanceof OutputClosedError) return 0;
    tell(context, error);
    // What a shell evaluates: so its `set -e` sees it.
    if (argv[0] === "start") tryOut(context, "false\n");
    return exitCodeOf(error, argv);
  }
}

function tryOut(context: Context, text: string): void {
  try {
    context.io.out(text);
  } catch {
    // Nobody evaluates it.
  }
}

/** One line that says what failed, one that says what to type; a stack only with TRACK_DEBUG=1. */
function tell(context: Context, error: unknown): void {
  const isExpected = error instanceof TrackError;
  context.io.say(error instanceof Error ? error.message : String(error));
  if (!isExpected) context.io.err("hint: this is a bug in track; TRACK_DEBUG=1 shows where\n");
  else if (error.hint !== undefined) context.io.err(`hint: ${oneLine(error.hint)}\n`);
  if (context.env["TRACK_DEBUG"] === "1" && error instanceof Error) context.io.err(`${stackOf(error)}\n`);
}

function stackOf(error: Error): string {
  const cause = error.cause instanceof Error ? `\ncaused by ${stackOf(error.cause)}` : "";
  return `${error.stack ?? error.message}${cause}`;
}

/** `run` and `resume` answer 125 as long as the command was not started, as `env` and `timeout` do. */
function exitCodeOf(error: unknown, argv: readonly string[]): number {
  const own = error instanceof TrackError ? error.exitCode : 1;
  // What is found before a start of either kind is worded once, with the exit code of `run`.
  if (argv[0] === "start" && own === 125) return error instanceof UsageError ? 2 : 1;
  const isWrapping = argv[0] === "run" || argv[0] === "resume";
  return isWrapping && own <= 2 ? 125 : own;
}
