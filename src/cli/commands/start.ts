import { TrackError } from "../../errors.ts";
import type { RunOptions } from "../../settings/run-options.ts";
import { messageOf } from "../../util/error-code.ts";
import { readLaunchNotes } from "../../wrapper/launch-notes.ts";
import type { Context } from "../context.ts";
import { enclosingRun } from "../end-shell-run.ts";
import { findCallingShell } from "../launch/calling-shell.ts";
import type { ShellSyntax } from "../launch/shell-syntax.ts";
import { startText } from "../launch/shell-text.ts";
import { startShellRun } from "../launch/start-shell-run.ts";
import { planLaunch } from "./run.ts";

export interface StartOptions extends RunOptions {
  /** Whose syntax is printed; absent: the calling shell's. */
  readonly shell?: ShellSyntax;
  /** Go on with a run although it seems to be alive. */
  readonly force?: boolean;
}

/** Opens a run for the shell that evaluates what this prints. Nothing is printed where it cannot be recorded. */
export async function start(context: Context, options: StartOptions): Promise<number> {
  const { shell, force = false, ...typed } = options;
  const notes = readLaunchNotes(context.env);
  const caller = findCallingShell(process.ppid);
  const { environment } = notes;
  const open = async (): ReturnType<typeof startShellRun> => {
    const command = caller?.argv ?? ["sh"];
    const request = { options: asShellOptions(typed), command, kind: "shell", force } as const;
    const plan = await planLaunch(context, request, notes);
    const outer = enclosingRun({ env: environment });
    return await startShellRun(context, { ...plan, ...(outer !== undefined && { outerJournal: outer.folder }) });
  };
  const run = await open().catch((error: unknown) => {
    const { strict = context.config?.options.strict } = options;
    if (error instanceof TrackError || strict === true) throw error;
    // We lack something (descriptors, memory) or have a bug: the script goes on as if we were not there.
    context.io.say(`the shell goes on unrecorded: ${messageOf(error)}`);
    return undefined;
  });
  if (run !== undefined) {
    const syntax = shell ?? caller?.syntax ?? "sh";
    context.io.out(startText({ syntax, runId: run.runId, before: environment, after: run.environment }));
  }
  // At once: a connection of the shell's is for the recorder alone.
  return context.exit(0);
}

/** What the config files say of a command's output and end is nothing to a shell. */
function asShellOptions(options: RunOptions): RunOptions {
  return { ...options, scrape: "off", paramsFromArgs: false, survive: false, rank: "off" };
}
