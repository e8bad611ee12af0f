import { statSync } from "node:fs";
import { trackTags } from "../../entities/tag-keys.ts";
import type { Run } from "../../entities/run.ts";
import { UsageError } from "../../errors.ts";
import type { ResumeOptions } from "../../settings/run-options.ts";
import { isMasked } from "../../wire/redact.ts";
import { tagOf } from "../../wire/run-processes.ts";
import type { Context } from "../context.ts";
import { findRun } from "../find-run.ts";
import { deletedRun, type Preflight, withExperiment } from "../launch/preflight.ts";
import { withRecordedOptions } from "../launch/recorded-options.ts";
import { runIn } from "./run.ts";

/** Goes on with a run as its next attempt: the given command here, or the recorded one in the recorded folder. */
export async function resume(
  context: Context,
  options: ResumeOptions,
  name: string,
  command: readonly string[],
): Promise<number> {
  const found = await lookUp(context, options, name);
  const { run } = found;
  const shortId = run.info.runId.slice(0, 8);
  const isRecorded = command.length === 0;
  const { force = false, ...typed } = options;
  return await runIn(context, {
    options: { ...withRecordedOptions(typed, tagOf(run, trackTags.options)), runId: run.info.runId },
    command: isRecorded ? recordedCommand(run, shortId) : command,
    ...(isRecorded && { cwd: recordedFolder(run, shortId) }),
    known: found,
    force,
  });
}

async function lookUp(context: Context, options: ResumeOptions, name: string): Promise<Preflight & { run: Run }> {
  await using store = await context.openStore("read", options.trackingUri);
  const run = await findRun(store, name);
  if (run.info.lifecycleStage === "deleted") throw deletedRun(run.info.runId);
  return { ...(await withExperiment(store, run)), run };
}

function recordedCommand(run: Run, shortId: string): readonly string[] {
  const hint = `give it: track resume ${shortId} -- <command>`;
  const command = parseCommand(tagOf(run, trackTags.command));
  if (command === undefined) throw mistake(`run ${shortId} has no recorded command`, hint);
  if (isMasked(command)) throw mistake(`the recorded command of run ${shortId} lacks a secret`, hint);
  return command;
}

function parseCommand(text: string | undefined): readonly string[] | undefined {
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    const isCommand = Array.isArray(value) && value.length > 0 && value.every((word) => typeof word === "string");
    return isCommand ? value : undefined;
  } catch (error) {
    // A very long command was cut at MLflow's limit for tags.
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function recordedFolder(run: Run, shortId: string): string {
  const folder = tagOf(run, trackTags.cwd);
  if (folder !== undefined && statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true) return folder;
  throw mistake(
    `the folder of run ${shortId} is not there: ${folder ?? "none is recorded"}`,
    `cd to where it should run, then: track resume ${shortId} -- <command>`,
  );
}

const mistake = (message: string, hint: string): UsageError => new UsageError(message, { exitCode: 125, hint });
