import { constants, type Stats } from "node:fs";
import { access, copyFile, mkdir, readdir, realpath, rename, rm, stat, utimes } from "node:fs/promises";
import { dirname, join } from "node:path";
import { invalidParameter } from "../errors.ts";
import { hasCode } from "../util/error-code.ts";
import { randomHex } from "../util/ids.ts";

const temporaryName = /^\.track-[0-9a-f]{12}\.tmp$/u;

/** True for what an interrupted copy leaves behind. */
export function isTemporaryName(name: string): boolean {
  return temporaryName.test(name);
}

/**
 * Copies a file or a whole folder with modification times, following symbolic links, as MLflow does. Each file appears under its
 * name only when it is complete. Folders merge; a link to nothing, a socket or pipe in them, and `skippedFolder` are left out.
 */
export async function copyPath(source: string, target: string, skippedFolder?: string): Promise<void> {
  const stats = await stat(source);
  await access(source, constants.R_OK);
  if (stats.isFile()) return copyOneFile(source, target, stats);
  if (!stats.isDirectory()) throw invalidParameter(`neither a file nor a folder: ${source}`);
  await copyFolder(source, target, new Set(skippedFolder === undefined ? [] : [skippedFolder]));
}

async function copyFolder(source: string, target: string, closedFolders: ReadonlySet<string>): Promise<void> {
  const realSource = await realpath(source);
  if (closedFolders.has(realSource)) return;
  // Listed before the target is made, which may lie inside the source.
  const names = await readdir(source);
  await mkdir(target, { recursive: true });
  // A link to a folder above would never end.
  const closedBelow = new Set([...closedFolders, realSource, await realpath(target)]);
  for (const name of names) {
    if (isTemporaryName(name)) continue;
    const from = join(source, name);
    const stats = await statOrUndefined(from);
    if (stats?.isDirectory() === true) await copyFolder(from, join(target, name), closedBelow);
    else if (stats?.isFile() === true) await copyOneFile(from, join(target, name), stats);
  }
}

async function copyOneFile(source: string, target: string, stats: Stats): Promise<void> {
  const folder = dirname(target);
  await mkdir(folder, { recursive: true });
  const temporary = join(folder, `.track-${randomHex(6)}.tmp`);
  try {
    await copyFile(source, temporary, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
    await utimes(temporary, stats.atime, stats.mtime);
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** `undefined` for a link to nothing, or a file that vanished while its folder was copied. */
async function statOrUndefined(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    if (hasCode(error, "ENOENT", "ELOOP")) return undefined;
    throw error;
  }
}
