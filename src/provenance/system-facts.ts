import { createReadStream } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { arch, release } from "node:os";
import { join } from "node:path";
import { readDistribution } from "./host.ts";
import { listFolder, orUndefined, readText } from "./quiet-files.ts";

/** A file that pins what is installed. */
export interface LockFile {
  /** Absolute. */
  readonly path: string;
  readonly sha256: string;
}

/** Content of `environment/system.json`; what is not to be found is absent. */
export interface SystemFacts {
  readonly kernel: string;
  readonly architecture: string;
  readonly distribution?: string;
  /** `glibc 2.36`, `musl`. */
  readonly libc?: string;
  readonly nvidiaDriver?: string;
  /** Of the toolkit on this machine, not the one that a Python package brings. */
  readonly cuda?: string;
  readonly lockFiles: readonly LockFile[];
}

const lockNames =
  /^(?:requirements.*\.txt|poetry\.lock|uv\.lock|pdm\.lock|Pipfile\.lock|environment\.ya?ml|conda-lock\.yml|package-lock\.json|pixi\.lock|pyproject\.toml)$/u;
const largestLockFileBytes = 50_000_000;
const lockFileLimit = 100;

/** Reads a few files of the system, and the lock files that lie in `folders`. Starts nothing, never throws. */
export async function readSystemFacts(
  folders: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<SystemFacts> {
  const [distribution, libc, nvidiaDriver, cuda, lockFiles] = await Promise.all([
    readDistribution(),
    readLibc(),
    readNvidiaDriver(),
    readCuda(env),
    readLockFiles(folders),
  ]);
  return {
    kernel: release(),
    architecture: arch(),
    ...(distribution !== undefined && { distribution }),
    ...(libc !== undefined && { libc }),
    ...(nvidiaDriver !== undefined && { nvidiaDriver }),
    ...(cuda !== undefined && { cuda }),
    lockFiles,
  };
}

/** Of the C library that this process itself runs on. Node's own report knows it too, but holds up the event loop for 2 ms. */
async function readLibc(): Promise<string | undefined> {
  const maps = (await readText("/proc/self/maps")) ?? "";
  const path = /\s(\/\S*\/(?:libc\.so\.6|libc-2[\d.]+\.so|ld-musl\S*))$/mu.exec(maps)?.[1];
  if (path === undefined) return undefined;
  if (path.includes("musl")) return "musl";
  const library = await orUndefined(readFile(path));
  const at = library?.indexOf("stable release version ") ?? -1;
  const words = library?.toString("latin1", at, at + 40) ?? "";
  const version = at === -1 ? undefined : /version (\d[\d.]*\d)/u.exec(words)?.[1];
  return version === undefined ? "glibc" : `glibc ${version}`;
}

async function readNvidiaDriver(): Promise<string | undefined> {
  return parseNvidiaDriver((await readText("/proc/driver/nvidia/version")) ?? "");
}

/** From the kernel module's own words, of the closed and of the open one. */
export function parseNvidiaDriver(text: string): string | undefined {
  return /^NVRM version:.*?\s(\d+\.\d+(?:\.\d+)?)\s/mu.exec(text)?.[1];
}

async function readCuda(env: Readonly<Record<string, string | undefined>>): Promise<string | undefined> {
  for (const home of [env["CUDA_HOME"], env["CUDA_PATH"], "/usr/local/cuda"]) {
    if (!home) continue;
    const json = /"cuda"\s*:\s*\{[^}]*"version"\s*:\s*"([^"]+)"/u.exec(
      (await readText(join(home, "version.json"))) ?? "",
    );
    const text = json ?? /CUDA Version (\S+)/u.exec((await readText(join(home, "version.txt"))) ?? "");
    if (text?.[1] !== undefined) return text[1];
  }
  return undefined;
}

async function readLockFiles(folders: readonly string[]): Promise<readonly LockFile[]> {
  const paths = await Promise.all(
    [...new Set(folders)].map(async (folder) =>
      (await listFolder(folder)).filter((name) => lockNames.test(name)).map((name) => join(folder, name)),
    ),
  );
  const files = await Promise.all(
    paths
      .flat()
      .sort()
      .slice(0, lockFileLimit)
      .map((path) => orUndefined(hashFile(path))),
  );
  return files.filter((file) => file !== undefined);
}

async function hashFile(path: string): Promise<LockFile | undefined> {
  const stats = await stat(path);
  if (!stats.isFile() || stats.size > largestLockFileBytes) return undefined;
  // Loaded where a lock file lies only: it takes 3 ms.
  const { createHash } = await import("node:crypto");
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return { path, sha256: hash.digest("hex") };
}
