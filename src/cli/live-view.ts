import { UsageError } from "../errors.ts";
import { messageOf } from "../util/error-code.ts";
import { type Context, createContext } from "./context.ts";
import { FrameIo } from "./frame-io.ts";
import { LiveScreen } from "./live-screen.ts";

/** Options of every command that can be watched. */
export interface WatchOptions {
  readonly watch?: boolean;
  /** Between two drawings, ms. */
  readonly intervalMs?: number;
}

const defaultIntervalMs = 2000;

/**
 * Draws what `draw` writes, again and again in the same place, until `q`, ^C or a signal ends it; then leaves the last
 * drawing behind and the terminal as it was. Resolves to the exit code: 0, or 128+n for TERM and HUP.
 * Where it cannot be watched: `UsageError`. The first drawing's errors are the command's; a later one is shown and may pass.
 */
export async function watchLive(
  context: Context,
  options: WatchOptions & { readonly json?: boolean },
  draw: (context: Context) => Promise<unknown>,
): Promise<number> {
  refuse(context, options);
  const drawFrame = async () => {
    const io = new FrameIo(context.io);
    const { env, cwd, now, config } = context;
    await draw(createContext({ io, env, cwd, now, ...(config !== undefined && { config }) }));
    return io;
  };
  let frame = await drawFrame();
  using screen = new LiveScreen(context.io);
  for (;;) {
    screen.show(frame);
    const event = await screen.wait(options.intervalMs ?? defaultIntervalMs);
    if (event.kind === "end") {
      screen.leave();
      context.io.out(frame.text);
      return event.exitCode;
    }
    try {
      frame = await drawFrame();
    } catch (error) {
      // A database that is locked or away now may be there again soon: what was seen last stays.
      frame = frame.withNotice(messageOf(error));
    }
  }
}

/** Watching is for eyes: without a terminal, or with `--json`, it is a mistake. Throws `UsageError`. */
function refuse(context: Context, options: { readonly json?: boolean }): void {
  if (options.json === true) throw new UsageError("--watch and --json cannot go together", { hint: "leave one out" });
  if (context.io.isTerminal) return;
  throw new UsageError("--watch needs a terminal", {
    hint: "without one, repeat the command: while sleep 2; do track ls; done",
  });
}
