import { basename, dirname, join, resolve } from "node:path";
import { listFolder, readStart } from "./quiet-files.ts";

export interface PythonPackage {
  readonly name: string;
  readonly version: string;
  /** Where an editable or directly fetched package comes from: a folder, or a URL with `@` and the commit. */
  readonly source?: string;
}

const parallelReads = 16;

/**
 * The packages installed in these folders, as their own metadata says, sorted by name; of two with one name the first
 * folder's counts. What is unreadable is left out; an abort ends the reading early.
 */
export async function readPythonPackages(
  folders: readonly string[],
  signal?: AbortSignal,
): Promise<readonly PythonPackage[]> {
  const entries = (
    await Promise.all(folders.map(async (folder) => (await listFolder(folder)).map((name) => join(folder, name))))
  ).flat();
  const found = await readSome(
    entries.filter((path) => /\.(?:dist-info|egg-info|egg-link|egg)$/u.test(path)),
    signal,
  );
  const byName = new Map<string, PythonPackage>();
  for (const entry of found) {
    const key = entry === undefined ? "" : entry.name.toLowerCase().replaceAll(/[-_.]+/gu, "-");
    if (entry !== undefined && !byName.has(key)) byName.set(key, entry);
  }
  return [...byName].sort(([left], [right]) => (left < right ? -1 : 1)).map(([, entry]) => entry);
}

/** `name==version` lines, which pip reads as well. */
export function formatPythonPackages(packages: readonly PythonPackage[]): string {
  return packages
    .map(({ name, version, source }) => `${name}==${version}${source === undefined ? "" : ` # ${source}`}\n`)
    .join("");
}

async function readSome(
  paths: readonly string[],
  signal?: AbortSignal,
): Promise<readonly (PythonPackage | undefined)[]> {
  const results: (PythonPackage | undefined)[] = Array.from({ length: paths.length });
  const waiting = paths.entries();
  const work = async (): Promise<void> => {
    for (const [index, path] of waiting) {
      if (signal?.aborted === true) return;
      results[index] = await readPackage(path);
    }
  };
  await Promise.all(Array.from({ length: parallelReads }, work));
  return results;
}

async function readPackage(path: string): Promise<PythonPackage | undefined> {
  // pip renames a folder to `~name` while it replaces it.
  if (basename(path).startsWith("~")) return undefined;
  if (path.endsWith(".dist-info")) return readDistribution(path);
  if (path.endsWith(".egg-link")) return readEggLink(path);
  const inside = path.endsWith(".egg") ? join(path, "EGG-INFO", "PKG-INFO") : join(path, "PKG-INFO");
  return parseMetadata((await readStart(inside, 4096)) ?? (await readStart(path, 4096))) ?? parseName(path);
}

async function readDistribution(path: string): Promise<PythonPackage | undefined> {
  const [metadata, direct] = await Promise.all([
    readStart(join(path, "METADATA"), 4096),
    readStart(join(path, "direct_url.json"), 4096),
  ]);
  const entry = parseMetadata(metadata) ?? parseName(path);
  const source = direct === undefined ? undefined : parseDirectUrl(direct);
  return entry === undefined || source === undefined ? entry : { ...entry, source };
}

/** What `setup.py develop` leaves: the path of a source folder, which holds the metadata. */
async function readEggLink(path: string): Promise<PythonPackage | undefined> {
  const folder = resolve(dirname(path), (await readStart(path, 4096))?.split("\n")[0]?.trim() ?? "");
  const info = (await listFolder(folder)).find((name) => name.endsWith(".egg-info"));
  if (info === undefined) return undefined;
  const entry = parseMetadata(await readStart(join(folder, info, "PKG-INFO"), 4096));
  return entry === undefined ? undefined : { ...entry, source: folder };
}

function parseMetadata(text: string | undefined): PythonPackage | undefined {
  const header = text?.split(/\r?\n\r?\n/u)[0] ?? "";
  const name = /^Name:[ \t]*(\S+)/imu.exec(header)?.[1];
  const version = /^Version:[ \t]*(\S+)/imu.exec(header)?.[1];
  return name === undefined || version === undefined ? undefined : { name, version };
}

function parseName(path: string): PythonPackage | undefined {
  const [, name, version] = /^(.+?)-([^-]+)(?:-py\d.*)?\.[a-z-]+$/u.exec(basename(path)) ?? [];
  return name === undefined || version === undefined ? undefined : { name, version };
}

/** PEP 610. */
function parseDirectUrl(text: string): string | undefined {
  try {
    const {
      url,
      vcs_info: vcs,
      dir_info: folder,
    } = JSON.parse(text) as {
      url?: unknown;
      vcs_info?: { vcs?: unknown; commit_id?: unknown };
      dir_info?: { editable?: unknown };
    };
    if (typeof url !== "string") return undefined;
    if (vcs !== undefined) return `${String(vcs.vcs)}+${url}@${String(vcs.commit_id)}`;
    return folder?.editable === true ? `editable ${url}` : url;
  } catch {
    // Not JSON, or not an object: someone else's broken file.
    return undefined;
  }
}
