import type { Context } from "./context.ts";
import type { WatchOptions } from "./live-view.ts";

/** Prints what `names` mean and resolves to the ids of those runs. */
export type PrintRuns = (context: Context, names: readonly string[]) => Promise<readonly string[]>;

/** Prints runs once, or with `--watch` until that is ended, and then resolves to the exit code. */
export async function printOrWatch(
  context: Context,
  options: WatchOptions & { readonly json?: boolean },
  names: readonly string[],
  print: PrintRuns,
): Promise<number | void> {
  if (options.watch !== true) return void (await print(context, names));
  const { watchLive } = await import("./live-view.ts");
  // `@last` stays the run that it was when the watching began.
  let runIds = names;
  return watchLive(context, options, async (live) => {
    runIds = await print(live, runIds);
  });
}
