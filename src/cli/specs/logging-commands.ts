import { type CommandSpec, defineCommand } from "../command-spec.ts";
import type { Context } from "../context.ts";
import { anyKind, type LogCommandOptions, logCommands } from "./log-kinds.ts";

export const loggingCommands: readonly CommandSpec[] = logCommands.map((command) =>
  defineCommand<LogCommandOptions>({
    name: `log ${command.kind}`,
    summary: command.summary,
    arguments: command.words,
    options: [...(command.options ?? []), ...anyKind],
    examples: command.examples,
    invoke: async (context, options, args) => {
      const { log } = await import("../commands/log.ts");
      return log(logContext(context, options), command.kind, args, options);
    },
  }),
);

function logContext(context: Context, options: LogCommandOptions) {
  return {
    io: context.io,
    env: context.env,
    get cwd() {
      return context.cwd;
    },
    now: () => context.now(),
    stdin: () => context.stdin(),
    findLiveRun: async (run: string) =>
      (await import("../find-live-run.ts")).findLiveRun(context, run, options.trackingUri),
    openRunWriter: async (run: string) =>
      (await import("../open-run-writer.ts")).openRunWriter(context, run, options.trackingUri),
  };
}
