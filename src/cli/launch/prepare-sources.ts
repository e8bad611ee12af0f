import { statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { UsageError } from "../../errors.ts";
import { recogniserMaker } from "../../intake/scrape/create-recogniser.ts";
import { findEventFiles } from "../../intake/tensorboard/find-event-files.ts";
import type { RunSettings } from "../../settings/run-settings.ts";
import type { Environment } from "../../settings/tracking-uri.ts";
import { hasCode } from "../../util/error-code.ts";
import type { TensorboardSettings } from "../../wire/journal-header.ts";
import { createMasker } from "../../wire/redact.ts";
import { paramsFromArgs } from "./params-from-args.ts";

/** What is known before the start of the sources that a run was asked to read along. */
export interface PreparedSources {
  /** With the params of the command line, where they were asked for. */
  readonly settings: RunSettings;
  readonly tensorboard?: TensorboardSettings;
}

export interface CommandStart {
  readonly command: readonly string[];
  /** The command's folder. */
  readonly cwd: string;
  readonly env: Environment;
}

/** Finds mistakes in `--scrape` and `--tensorboard` (exit code 125), and looks at what is there before the command starts. */
export async function prepareSources(settings: RunSettings, start: CommandStart): Promise<PreparedSources> {
  // Throws for what is no pattern.
  if (settings.scrape !== undefined) await recogniserMaker(settings.scrape);
  const folders = [...new Set(settings.tensorboard.map((folder) => resolve(start.cwd, folder)))];
  for (const folder of folders) checkFolder(folder);
  const found = await Promise.all(folders.map((folder) => findEventFiles(folder)));
  const existing = Object.fromEntries(found.flatMap((files) => [...files]));
  return {
    settings: settings.paramsFromArgs ? withArgumentParams(settings, start) : settings,
    ...(folders.length > 0 && { tensorboard: { folders, existing } }),
  };
}

/** One that is not there yet will be made by the command. */
function checkFolder(folder: string): void {
  if (isFolderOrNothing(folder)) return;
  throw new UsageError(`--tensorboard is not a folder: ${folder}`, {
    exitCode: 125,
    hint: "name the folder that the event files lie in",
  });
}

function isFolderOrNothing(path: string): boolean {
  try {
    const stat = statSync(path, { throwIfNoEntry: false });
    return stat?.isDirectory() ?? (path === dirname(path) || isFolderOrNothing(dirname(path)));
  } catch (error) {
    // What cannot be looked at now is the surroundings'.
    if (hasCode(error, "EACCES", "EPERM", "ELOOP", "EIO", "ESTALE", "ENAMETOOLONG")) return true;
    throw error;
  }
}

/** What was given by `-p` wins. */
function withArgumentParams(settings: RunSettings, { command, env }: CommandStart): RunSettings {
  const masker = createMasker(env, { enabled: settings.redact });
  const given = new Set(settings.params.map(({ key }) => key));
  const found = paramsFromArgs(masker.maskArgv(command)).filter(({ key }) => !given.has(key));
  return { ...settings, params: [...settings.params, ...found] };
}
