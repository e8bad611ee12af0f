import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { trackTags } from "../entities/tag-keys.ts";
import type { Tag } from "../entities/tag.ts";
import type { SecretMasker } from "../wire/redact.ts";
import { pickVariables } from "./environment.ts";
import { findPython } from "./find-python.ts";
import { writeGitDiff, writeUntracked } from "./git-artifacts.ts";
import { openRepository, type GitRepository } from "./git-command.ts";
import { gitTags, readProvenance, type GitProvenance } from "./git.ts";
import { hostTags } from "./host.ts";
import { formatPythonPackages, readPythonPackages } from "./python-packages.ts";
import { readInstallation, type PythonInstallation } from "./site-folders.ts";
import { sourceTags } from "./source-tags.ts";

/** A file that is ready to be stored. */
export interface CollectedArtifact {
  /** Absolute, in `outFolder`; ours to give away. */
  readonly localPath: string;
  /** Path below the run's artifact root. */
  readonly artifactFile: string;
}

export interface CollectOptions {
  /** The command's working folder. */
  readonly cwd: string;
  readonly command: readonly string[];
  /** The command's environment. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Absolute paths of our own files: `mlflow.db`, `mlruns`, `.track`. */
  readonly gitExcludes: readonly string[];
  /** An existing folder that the files are written into. */
  readonly outFolder: string;
  readonly masker: SecretMasker;
  /** Ends the collecting early. */
  readonly signal?: AbortSignal;
  /** Default 5000. */
  readonly timeLimitMs?: number;
  /** Called as soon as some are known; values are not masked yet, which is LiveRun's to do. */
  readonly onTags: (tags: readonly Tag[]) => void;
  readonly onArtifact: (artifact: CollectedArtifact) => void;
}

const usualTimeLimitMs = 5000;

/**
 * Describes what a command runs from and on: tags first, the files after them. Never throws and never takes longer than its limit;
 * what could not be found out or written by then is missing, since the run is worth more than its description.
 */
export async function collectProvenance(options: CollectOptions): Promise<void> {
  const limit = new AbortController();
  const expire = (): void => limit.abort();
  const timer = setTimeout(expire, options.timeLimitMs ?? usualTimeLimitMs);
  if (options.signal?.aborted === true) expire();
  options.signal?.addEventListener("abort", expire, { once: true });
  const expired = new Promise<void>((resolve) => {
    if (limit.signal.aborted) resolve();
    else limit.signal.addEventListener("abort", () => resolve(), { once: true });
  });
  try {
    // A file system that hangs can't be interrupted, only left alone.
    await Promise.race([collect(new Collection(options, limit.signal)), expired]);
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener("abort", expire);
    limit.abort();
  }
}

async function collect(collection: Collection): Promise<void> {
  const { options, signal } = collection;
  const { cwd, env } = options;
  const source = collection.attempt(async () => collection.tell(sourceTags(options.command)));
  const host = collection.attempt(async () => collection.tell(await hostTags()));
  const opened = collection.attempt(() => openRepository(cwd, { env, excludes: options.gitExcludes, signal }));
  const git = collection.attempt(async () => tellGit(collection, await opened));
  const variables = collection.attempt(async () =>
    writeJson(collection, "variables.json", pickVariables(env, options.masker)),
  );
  await Promise.all([source, host, git, variables]);
  const repository = await opened;
  const python = collection.attempt(() => readPython(options));
  await Promise.all([
    collection.attempt(async () => writeSystem(collection, repository?.root, await python)),
    collection.attempt(async () => writePackages(collection, await python)),
    collection.attempt(async () => writeGitFiles(collection, repository, (await git)?.isDirty === true)),
  ]);
}

/** What is collected where to, until the time is up. */
class Collection {
  readonly options: CollectOptions;
  readonly signal: AbortSignal;

  constructor(options: CollectOptions, signal: AbortSignal) {
    this.options = options;
    this.signal = signal;
  }

  tell(tags: readonly Tag[]): void {
    if (!this.signal.aborted && tags.length > 0) this.options.onTags(tags);
  }

  offer(localPath: string, artifactFile: string): void {
    if (!this.signal.aborted) this.options.onArtifact({ localPath, artifactFile });
  }

  /** Any fault of one part leaves out that part: recording never hurts the training, nor the rest of the record. */
  async attempt<T>(work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch {
      return undefined;
    }
  }

  pathOf(name: string): string {
    return join(this.options.outFolder, name);
  }

  async write(name: string, text: string): Promise<void> {
    await writeFile(this.pathOf(name), text, { mode: 0o600 });
    this.offer(this.pathOf(name), `environment/${name}`);
  }
}

async function tellGit(
  collection: Collection,
  repository: GitRepository | undefined,
): Promise<GitProvenance | undefined> {
  const git = repository === undefined ? undefined : await readProvenance(repository);
  if (git !== undefined) collection.tell(gitTags(git));
  return git;
}

async function writeGitFiles(
  collection: Collection,
  repository: GitRepository | undefined,
  isDirty: boolean,
): Promise<void> {
  if (repository === undefined) return;
  const { masker } = collection.options;
  const write = async (name: string, truncatedTag: string, writer: typeof writeGitDiff): Promise<void> => {
    const path = collection.pathOf(name);
    const { isWritten, isTruncated } = await writer(repository, path, { masker });
    if (isWritten) collection.offer(path, `git/${name}`);
    if (isTruncated) collection.tell([{ key: truncatedTag, value: "true" }]);
  };
  await Promise.all([
    isDirty && collection.attempt(() => write("diff.patch", trackTags.gitDiffTruncated, writeGitDiff)),
    collection.attempt(() => write("untracked.txt", trackTags.gitUntrackedTruncated, writeUntracked)),
  ]);
}

interface Python extends PythonInstallation {
  readonly executable: string;
}

async function readPython({ command, cwd, env }: CollectOptions): Promise<Python | undefined> {
  const executable = await findPython(command, { cwd, env });
  return executable === undefined ? undefined : { executable, ...(await readInstallation(executable, env)) };
}

async function writePackages(collection: Collection, python: Python | undefined): Promise<void> {
  if (python === undefined) return;
  const packages = await readPythonPackages(python.siteFolders, collection.signal);
  if (packages.length === 0) return;
  await collection.write("python-packages.txt", collection.options.masker.maskText(formatPythonPackages(packages)));
}

async function writeSystem(
  collection: Collection,
  root: string | undefined,
  python: Python | undefined,
): Promise<void> {
  const { cwd, env } = collection.options;
  // Loaded here only, with the hashes that it needs.
  const { readSystemFacts } = await import("./system-facts.ts");
  const facts = await readSystemFacts(root === undefined ? [cwd] : [cwd, root], env);
  await writeJson(collection, "system.json", python === undefined ? facts : { ...facts, python });
}

async function writeJson(collection: Collection, name: string, content: unknown): Promise<void> {
  await collection.write(name, `${collection.options.masker.maskText(JSON.stringify(content, undefined, 2))}\n`);
}
