import { basename, dirname, join } from "node:path";
import { isProgram, listFolder, readText } from "./quiet-files.ts";

interface ShimPlace {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/**
 * What a shim of pyenv would start: PYENV_VERSION, else `.python-version` upwards from the working folder, else the global
 * version; the first of the versions named that has the program. A path in another `shims` folder comes back as it is.
 */
export async function resolvePyenvShim(shim: string, place: ShimPlace): Promise<string | undefined> {
  const root = dirname(dirname(shim));
  const installed = await listFolder(join(root, "versions"));
  if (installed.length === 0) return shim;
  for (const wanted of await readWantedVersions(root, place)) {
    const folder = wanted === "system" ? undefined : findVersion(wanted, installed);
    const path = folder === undefined ? undefined : join(root, "versions", folder, "bin", basename(shim));
    if (path !== undefined && (await isProgram(path))) return path;
  }
  return findSystemProgram(basename(shim), dirname(shim), place.env["PATH"] ?? "");
}

async function readWantedVersions(root: string, place: ShimPlace): Promise<readonly string[]> {
  const named = place.env["PYENV_VERSION"];
  if (named) return named.split(":");
  for (let folder = place.cwd; ; folder = dirname(folder)) {
    const local = wordsOf(await readText(join(folder, ".python-version")));
    if (local.length > 0) return local;
    if (dirname(folder) === folder) break;
  }
  const global = wordsOf(await readText(join(root, "version")));
  return global.length > 0 ? global : ["system"];
}

function wordsOf(text: string | undefined): readonly string[] {
  return (text ?? "")
    .split("\n")
    .flatMap((line) => line.replace(/#.*$/u, "").split(/\s+/u))
    .filter((word) => word !== "");
}

/** `3.11` stands for the newest 3.11.x that is installed. */
function findVersion(wanted: string, installed: readonly string[]): string | undefined {
  const name = wanted.replace(/^python-/u, "");
  if (installed.includes(name)) return name;
  return installed
    .filter((version) => version.startsWith(`${name}.`) && /^[\d.]+$/u.test(version))
    .sort((left, right) => left.localeCompare(right, "en", { numeric: true }))
    .at(-1);
}

async function findSystemProgram(name: string, shims: string, path: string): Promise<string | undefined> {
  for (const folder of path.split(":")) {
    if (folder !== "" && folder !== shims && (await isProgram(join(folder, name)))) return join(folder, name);
  }
  return undefined;
}
