import { readdir, realpath, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { doesNotExist, StoreError } from "../errors.ts";
import { hasCode, messageOf } from "../util/error-code.ts";
import { checkArtifactPath } from "./artifact-path.ts";
import type { ArtifactFile, ArtifactRepository } from "./artifact-repository.ts";
import { copyPath, isTemporaryName } from "./copy-path.ts";

/**
 * Artifacts in a folder of this machine, made with the first artifact. Readers never see half a file.
 * A disk that refuses (full, read-only, no access) is `TEMPORARILY_UNAVAILABLE`.
 */
export class LocalArtifactRepository implements ArtifactRepository {
  readonly #root: string;

  /** `root`: absolute path of the run's artifact folder. */
  constructor(root: string) {
    this.#root = root;
  }

  async logArtifact(localPath: string, artifactFile: string): Promise<void> {
    const target = this.localPath(artifactFile);
    await translateErrors(localPath, async () => copyPath(localPath, target, await realpathOrSame(this.#root)));
  }

  async listArtifacts(folder = ""): Promise<readonly ArtifactFile[]> {
    const path = this.localPath(folder);
    return translateErrors(path, async () => {
      const names = await namesIn(path);
      const files = await Promise.all(names.map((name) => describeFile(join(path, name), joinParts(folder, name))));
      return files.filter((file) => file !== undefined).toSorted((a, b) => (a.path < b.path ? -1 : 1));
    });
  }

  async downloadArtifact(artifactFile: string, localPath: string): Promise<void> {
    const source = this.localPath(artifactFile);
    await translateErrors(`artifact ${artifactFile}`, () => copyPath(source, localPath));
  }

  async deleteArtifacts(path = ""): Promise<void> {
    const target = this.localPath(path);
    await translateErrors(target, () => rm(target, { recursive: true, force: true }));
  }

  localPath(artifactFile: string): string {
    checkArtifactPath(artifactFile);
    return artifactFile === "" ? this.#root : join(this.#root, artifactFile);
  }
}

function joinParts(folder: string, name: string): string {
  return folder === "" ? name : `${folder}/${name}`;
}

/** MLflow answers an unknown folder, and a file, with an empty list. */
async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return (await readdir(folder)).filter((name) => !isTemporaryName(name));
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR")) return [];
    throw error;
  }
}

async function describeFile(path: string, artifactPath: string): Promise<ArtifactFile | undefined> {
  try {
    const stats = await stat(path);
    if (stats.isDirectory()) return { path: artifactPath, isFolder: true };
    return { path: artifactPath, isFolder: false, size: stats.size };
  } catch (error) {
    // A link to nothing, or deleted since its folder was read.
    if (hasCode(error, "ENOENT", "ELOOP")) return undefined;
    throw error;
  }
}

async function realpathOrSame(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (hasCode(error, "ENOENT")) return path;
    throw error;
  }
}

/** Runs `work`; what a file system call says becomes a `StoreError` about `what`. */
export async function translateErrors<Result>(what: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof StoreError || !(error instanceof Error && "syscall" in error)) throw error;
    throw toStoreError(what, error);
  }
}

function toStoreError(what: string, error: Error): StoreError {
  if (hasCode(error, "ENOENT")) return doesNotExist(`no such file or folder: ${what}`);
  const isMistake = hasCode(error, "EISDIR", "ENOTDIR", "EEXIST", "ENOTEMPTY", "ENAMETOOLONG", "ELOOP");
  const isUnreadable = "syscall" in error && error.syscall === "access";
  const code = isMistake ? "INVALID_PARAMETER_VALUE" : isUnreadable ? "PERMISSION_DENIED" : "TEMPORARILY_UNAVAILABLE";
  return new StoreError(code, `${what}: ${messageOf(error)}`, { cause: error });
}
