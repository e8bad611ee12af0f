import { basename, dirname, join } from "node:path";
import { isFolder, listFolder, readText, resolveLinks } from "./quiet-files.ts";

export interface PythonInstallation {
  /** `3.11`, or what pyvenv.cfg says (`3.11.7`). */
  readonly version?: string;
  /** Folders with installed packages, in the order of `sys.path`; those that exist. */
  readonly siteFolders: readonly string[];
}

/** Where an interpreter finds its packages, worked out from the files around it as Python's own start-up does. */
export async function readInstallation(
  executable: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<PythonInstallation> {
  const found: Installation = (await readVenv(executable)) ?? (await readBase(executable));
  const folders = [
    ...(env["PYTHONPATH"] ?? "").split(":").filter((folder) => folder !== ""),
    ...(found.usesUserSite && !env["PYTHONNOUSERSITE"] ? userSite(found.series, env) : []),
    ...found.siteFolders,
  ];
  const existing = await Promise.all(
    [...new Set(folders)].map(async (folder) => ((await isFolder(folder)) ? [folder] : [])),
  );
  return { siteFolders: existing.flat(), ...(found.version !== undefined && { version: found.version }) };
}

interface Installation extends PythonInstallation {
  readonly series: string | undefined;
  readonly usesUserSite: boolean;
}

/** Python looks for pyvenv.cfg beside the executable or one folder up, without following links. */
async function readVenv(executable: string): Promise<Installation | undefined> {
  const binFolder = dirname(executable);
  const prefix = dirname(binFolder);
  const text = (await readText(join(prefix, "pyvenv.cfg"))) ?? (await readText(join(binFolder, "pyvenv.cfg")));
  if (text === undefined) return undefined;
  const value = (key: string): string | undefined =>
    new RegExp(String.raw`^\s*${key}\s*=\s*(.*?)\s*$`, "imu").exec(text)?.[1];
  const usesSystem = value("include-system-site-packages")?.toLowerCase() === "true";
  const home = value("home");
  const system = usesSystem && home !== undefined ? await readBase(join(home, basename(executable))) : undefined;
  const own = await libraryFolders(prefix);
  const version = value("version(?:_info)?")?.replace(/\.(?:final|alpha|beta|candidate)\.\d+$/u, "");
  return {
    usesUserSite: usesSystem,
    series: own.series,
    siteFolders: [...own.folders, ...(system?.siteFolders ?? [])],
    ...(version !== undefined && { version }),
  };
}

async function readBase(executable: string): Promise<Installation> {
  const real = (await resolveLinks(executable)) ?? executable;
  const prefix = dirname(dirname(real));
  const named = /(\d+\.\d+)t?$/u.exec(basename(real))?.[1];
  const { series, folders } = await libraryFolders(prefix, named);
  const isSystem = prefix === "/usr" && series !== undefined;
  return {
    series,
    usesUserSite: true,
    ...(series !== undefined && { version: series }),
    // Debian keeps its own packages and the administrator's apart.
    siteFolders: isSystem
      ? [`/usr/local/lib/python${series}/dist-packages`, "/usr/lib/python3/dist-packages", ...folders]
      : folders,
  };
}

async function libraryFolders(
  prefix: string,
  named?: string,
): Promise<{ series: string | undefined; folders: readonly string[] }> {
  const names = (await listFolder(join(prefix, "lib"))).filter((name) => /^(?:python|pypy)\d+\.\d+t?$/u.test(name));
  const wanted = names.filter((name) => named === undefined || name.replace(/^\D+|t$/gu, "") === named);
  const name = wanted.sort((left, right) => left.localeCompare(right, "en", { numeric: true })).at(-1);
  if (name === undefined) return { series: named, folders: [] };
  const folders = ["lib", "lib64"].map((library) => join(prefix, library, name, "site-packages"));
  const [first, second] = await Promise.all(folders.map(resolveLinks));
  return { series: name.replace(/^\D+|t$/gu, ""), folders: first === second ? folders.slice(0, 1) : folders };
}

function userSite(series: string | undefined, env: Readonly<Record<string, string | undefined>>): readonly string[] {
  const base = env["PYTHONUSERBASE"] || (env["HOME"] && join(env["HOME"], ".local"));
  return series === undefined || !base ? [] : [join(base, "lib", `python${series}`, "site-packages")];
}
