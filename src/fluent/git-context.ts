import { readFileSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { mlflowTags } from "../entities/tag-keys.ts";
import { hasCode } from "../util/error-code.ts";
import { withoutUserinfo } from "../util/uri-secrets.ts";

/**
 * Commit, branch and remote of the repository that a script lies in, as MLflow's tags; empty where there is none. Read from git's
 * own files: no process is started for it. Never throws.
 */
export function gitTags(script: string): Readonly<Record<string, string>> {
  try {
    const found = findRepository(dirname(resolve(script)));
    return found === undefined ? {} : tagsOf(found);
  } catch {
    // Whatever is wrong with somebody's repository: MLflow leaves the tags out then, and so do we.
    return {};
  }
}

interface Repository {
  readonly folder: string;
  /** Where branches and settings are; another folder in a linked worktree. */
  readonly common: string;
}

function findRepository(start: string): Repository | undefined {
  for (let folder = start; ; folder = dirname(folder)) {
    const path = join(folder, ".git");
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat?.isDirectory() === true) return { folder: path, common: path };
    if (stat?.isFile() === true) return linkedRepository(folder, readFileSync(path, "utf8"));
    if (folder === dirname(folder)) return undefined;
  }
}

function linkedRepository(folder: string, text: string): Repository | undefined {
  const link = /^gitdir: (.*)$/mu.exec(text)?.[1];
  if (link === undefined) return undefined;
  const own = resolve(folder, link);
  const common = readIfThere(join(own, "commondir"))?.trim();
  return { folder: own, common: common === undefined ? own : resolve(own, common) };
}

function tagsOf(repository: Repository): Readonly<Record<string, string>> {
  const head = readFileSync(join(repository.folder, "HEAD"), "utf8").trim();
  const ref = /^ref: (.*)$/u.exec(head)?.[1];
  const commit = ref === undefined ? head : commitOf(repository, ref);
  if (commit === undefined || !/^[0-9a-f]{40,64}$/u.test(commit)) return {};
  const url = remoteUrl(readIfThere(join(repository.common, "config")) ?? "");
  return {
    [mlflowTags.gitCommit]: commit,
    ...(ref?.startsWith("refs/heads/") === true && { [mlflowTags.gitBranch]: ref.slice("refs/heads/".length) }),
    ...(url !== undefined && { [mlflowTags.gitRepoUrl]: withoutUserinfo(url) }),
  };
}

function commitOf({ folder, common }: Repository, ref: string): string | undefined {
  const loose = readIfThere(join(folder, ref)) ?? readIfThere(join(common, ref));
  if (loose !== undefined) return loose.trim();
  const packed = readIfThere(join(common, "packed-refs")) ?? "";
  return packed
    .split("\n")
    .find((line) => line.endsWith(` ${ref}`))
    ?.split(" ")[0];
}

/** Of the first remote. */
function remoteUrl(config: string): string | undefined {
  const section = /^\s*\[remote "[^"]*"\]([^[]*)/mu.exec(config)?.[1];
  return section === undefined ? undefined : /^\s*url\s*=\s*(.*?)\s*$/mu.exec(section)?.[1];
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR", "EISDIR")) return undefined;
    throw error;
  }
}
