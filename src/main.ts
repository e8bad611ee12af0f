import { type Context, createContext } from "./cli/context.ts";
import { dispatch } from "./cli/dispatch.ts";
import { OutputClosedError } from "./cli/io.ts";
import { tellError } from "./cli/tell-error.ts";
import { TrackError, UsageError } from "./errors.ts";

/** `track` with these arguments; resolves to the exit code, never rejects: whatever is thrown is told on stderr here. */
export async function main(argv: readonly string[], context: Context = createContext()): Promise<number> {
  try {
    return await dispatch(context, argv);
  } catch (error) {
    if (error instanceof OutputClosedError) return 0;
    tellError(context, error);
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

/** `run` and `resume` answer 125 as long as the command was not started, as `env` and `timeout` do. */
function exitCodeOf(error: unknown, argv: readonly string[]): number {
  const own = error instanceof TrackError ? error.exitCode : 1;
  // What is found before a start of either kind is worded once, with the exit code of `run`.
  if (argv[0] === "start" && own === 125) return error instanceof UsageError ? 2 : 1;
  const isWrapping = argv[0] === "run" || argv[0] === "resume";
  return isWrapping && own <= 2 ? 125 : own;
}
