import { mlflowTags } from "../entities/tag-keys.ts";
import type { Tag } from "../entities/tag.ts";
import type { HelperResult } from "../util/run-helper.ts";
import { openRepository, type GitOptions, type GitRepository } from "./git-command.ts";

export type { GitOptions } from "./git-command.ts";

/** What git says about a working tree; what it does not say is absent. */
export interface GitProvenance {
  /** Top folder of the working tree, absolute. */
  readonly root: string;
  /** 40 (or 64) hex digits; absent before the first commit. */
  readonly commit?: string;
  /** Absent when HEAD is detached. */
  readonly branch?: string;
  /** Of the branch's upstream, else of `origin`, else of the first remote; without credentials. */
  readonly repoUrl?: string;
  /** Tracked files differ from HEAD (MLflow's meaning); untracked ones don't count. Absent when it could not be told in time. */
  readonly isDirty?: boolean;
}

/** `undefined` outside a working tree, without git, or when git can't read it. Never throws, leaves no trace, starts two processes. */
export async function collectGitTags(cwd: string, options: GitOptions): Promise<GitProvenance | undefined> {
  const repository = await openRepository(cwd, options);
  return repository === undefined ? undefined : readProvenance(repository);
}

export interface ReadOptions {
  /** How long the comparison of the files with HEAD may take; ms, default 3000. Then the rest is told without it. */
  readonly statusTimeoutMs?: number;
}

/** As `collectGitTags`, of a working tree that is open already. */
export async function readProvenance(
  repository: GitRepository,
  options: ReadOptions = {},
): Promise<GitProvenance | undefined> {
  const [status, config] = await Promise.all([
    repository.run([...statusArguments, "--", ...repository.pathspecs], { timeoutMs: options.statusTimeoutMs ?? 3000 }),
    repository.run(["config", "-z", "--get-regexp", String.raw`^(remote\..*\.url|branch\..*\.remote)$`]),
  ]);
  const urls = config.stdout.toString("utf8");
  if (status.exitCode === 0 || status.isTruncated)
    return fromStatus(repository.root, status.stdout.toString("utf8"), urls);
  const isOldGit = status.exitCode === 129;
  return status.isTimedOut || isOldGit ? readHead(repository, urls) : undefined;
}

function fromStatus(root: string, status: string, urls: string): GitProvenance {
  const records = status.split("\0").filter((record) => record !== "");
  const header = (name: string): string | undefined => {
    const start = `# branch.${name} `;
    return records.find((record) => record.startsWith(start))?.slice(start.length);
  };
  const commit = header("oid");
  const branch = header("head");
  return {
    ...describe(root, commit === "(initial)" ? undefined : commit, branch === "(detached)" ? undefined : branch, urls),
    ...(commit !== "(initial)" && { isDirty: records.some((record) => !record.startsWith("#")) }),
  };
}

/** Without a look at the files: for a tree too large, or a disk too slow, to be compared in time. */
async function readHead(repository: GitRepository, urls: string): Promise<GitProvenance | undefined> {
  const [commit, branch] = await Promise.all([
    repository.run(["rev-parse", "--verify", "-q", "HEAD"]),
    repository.run(["symbolic-ref", "-q", "--short", "HEAD"]),
  ]);
  const lineOf = ({ exitCode, stdout }: HelperResult): string | undefined =>
    exitCode === 0 ? stdout.toString("utf8").trim() : undefined;
  const found = describe(repository.root, lineOf(commit), lineOf(branch), urls);
  return found.commit === undefined && found.branch === undefined ? undefined : found;
}

function describe(root: string, commit: string | undefined, branch: string | undefined, urls: string): GitProvenance {
  const repoUrl = chooseUrl(urls, branch);
  return {
    root,
    ...(commit !== undefined && { commit }),
    ...(branch !== undefined && { branch }),
    ...(repoUrl !== undefined && { repoUrl }),
  };
}

/** MLflow's git tags; none before the first commit, as MLflow has it. */
export function gitTags(git: GitProvenance): readonly Tag[] {
  if (git.commit === undefined) return [];
  return [
    { key: mlflowTags.gitCommit, value: git.commit },
    ...(git.branch === undefined ? [] : [{ key: mlflowTags.gitBranch, value: git.branch }]),
    ...(git.repoUrl === undefined ? [] : [{ key: mlflowTags.gitRepoUrl, value: git.repoUrl }]),
    ...(git.isDirty === undefined ? [] : [{ key: mlflowTags.gitDirty, value: String(git.isDirty) }]),
  ];
}

const statusArguments = [
  "status",
  "-z",
  "--porcelain=v2",
  "--branch",
  "--no-ahead-behind",
  "--no-renames",
  "--untracked-files=no",
  "--ignore-submodules=untracked",
];

function chooseUrl(config: string, branch: string | undefined): string | undefined {
  const urls = new Map<string, string>();
  let upstream: string | undefined;
  for (const record of config.split("\0")) {
    const [key = "", value = ""] = splitOnce(record, "\n");
    const remote = /^remote\.(.*)\.url$/su.exec(key)?.[1];
    if (remote !== undefined && !urls.has(remote)) urls.set(remote, value);
    if (branch !== undefined && key === `branch.${branch}.remote`) upstream = value;
  }
  const url = urls.get(upstream ?? "origin") ?? urls.get("origin") ?? [...urls.values()][0];
  return url === undefined || url === "" ? undefined : withoutCredentials(url);
}

function splitOnce(text: string, separator: string): readonly string[] {
  const at = text.indexOf(separator);
  return at === -1 ? [text] : [text.slice(0, at), text.slice(at + separator.length)];
}

/** A user name alone is kept where it is an account, not a token: `ssh://git@host`, `git@host:path`. */
export function withoutCredentials(url: string): string {
  const parts = /^([a-z][a-z0-9+.-]*:\/\/)([^/?#]*)@/iu.exec(url);
  if (parts === null) return url;
  const [whole, scheme = "", userInfo = ""] = parts;
  const account = /^(?:git\+)?ssh/iu.test(scheme) ? `${userInfo.replace(/:.*$/su, "")}@` : "";
  return scheme + account + url.slice(whole.length);
}
