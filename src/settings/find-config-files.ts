import { statSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Environment, variable } from "./tracking-uri.ts";

export const projectFileName = "track.toml";

/**
 * The config files in force, the weakest first: the user's own, and the `track.toml` in `cwd` or the nearest folder above it.
 * Costs a stat a folder and opens nothing; `cwd` is absent where the working folder has been removed.
 */
export function findConfigFiles(cwd: string | undefined, env: Environment): readonly string[] {
  const project = cwd === undefined ? undefined : findUpwards(cwd, projectFileName);
  const home = variable(env, "HOME");
  const configHome = variable(env, "XDG_CONFIG_HOME") ?? (home === undefined ? undefined : join(home, ".config"));
  const user = configHome === undefined ? undefined : join(configHome, "track", "config.toml");
  return [
    ...(user !== undefined && user !== project && isFile(user) ? [user] : []),
    ...(project === undefined ? [] : [project]),
  ];
}

function findUpwards(folder: string, name: string): string | undefined {
  const path = join(folder, name);
  if (isFile(path)) return path;
  const above = dirname(folder);
  return above === folder ? undefined : findUpwards(above, name);
}

/** What cannot be looked at, for whatever reason, is not there: it must not keep a command from running. */
function isFile(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
  } catch {
    return false;
  }
}
