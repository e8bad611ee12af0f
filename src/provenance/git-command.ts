import { basename, dirname, join, relative } from "node:path";
import { runHelper, type HelperOptions, type HelperResult } from "../util/run-helper.ts";
import { lfsFilterSettings } from "./lfs-filter.ts";
import { ownerOf, resolveLinks } from "./quiet-files.ts";

export interface GitOptions {
  /** The command's environment; its GIT_* variables are not followed, only those that say where git's own files are. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Files and folders of ours (absolute), left out of dirty, diff and untracked; a database's -wal, -shm and -journal with it. */
  readonly excludes: readonly string[];
  /** Ends every git that is still running. */
  readonly signal?: AbortSignal;
}

/** A working tree, ready to be asked. */
export interface GitRepository {
  /** Top folder of the working tree, links resolved. */
  readonly root: string;
  /** Pathspecs for the whole tree without the excludes, behind `--`. */
  readonly pathspecs: readonly string[];
  /** Runs one read-only git command in the root. */
  run(
    args: readonly string[],
    options?: Pick<HelperOptions, "onChunk" | "maxBytes" | "timeoutMs">,
  ): Promise<HelperResult>;
}

/** The working tree that `cwd` is in; `undefined` without starting anything where there is none. */
export async function openRepository(cwd: string, options: GitOptions): Promise<GitRepository | undefined> {
  const found = await findRoot(cwd);
  if (found === undefined) return undefined;
  const { root, isForeign } = found;
  const helper: HelperOptions = {
    cwd: root,
    env: gitEnvironment(options.env),
    ...(options.signal && { signal: options.signal }),
  };
  const settings = isForeign ? await foreignSettings(helper) : [];
  return {
    root,
    pathspecs: [":/", ...(await Promise.all(options.excludes.map((path) => excludePathspecs(root, path)))).flat()],
    run: (args, more) => runHelper("git", [...readOnlySettings, ...settings, ...args], { ...helper, ...more }),
  };
}

/** Settings of the user's that would start programs, write, or change a patch so that it no longer applies. */
const readOnlySettings = [
  "--no-pager",
  ...[
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.quotePath=false",
    "core.pager=cat",
    "color.ui=false",
    // The refresh that `git diff` does otherwise writes the index even under GIT_OPTIONAL_LOCKS=0 (git 2.39).
    "diff.autoRefreshIndex=false",
    "diff.noprefix=false",
    "diff.mnemonicPrefix=false",
    "diff.relative=false",
    "submodule.recurse=false",
    ...lfsFilterSettings(process.execPath),
  ].flatMap((setting) => ["-c", setting]),
];

const keptVariables = new Set([
  "GIT_CONFIG_GLOBAL",
  "GIT_CONFIG_SYSTEM",
  "GIT_CONFIG_NOSYSTEM",
  "GIT_EXEC_PATH",
  "GIT_CEILING_DIRECTORIES",
  "GIT_DISCOVERY_ACROSS_FILESYSTEM",
]);

function gitEnvironment(env: GitOptions["env"]): Record<string, string | undefined> {
  return {
    ...Object.fromEntries(
      Object.entries(env).filter(([name]) => !/^(?:GIT_|NODE_OPTIONS$)/u.test(name) || keptVariables.has(name)),
    ),
    LC_ALL: "C",
    GIT_OPTIONAL_LOCKS: "0",
    GIT_TERMINAL_PROMPT: "0",
    GIT_ASKPASS: "true",
    SSH_ASKPASS: "true",
    GIT_PAGER: "cat",
    GIT_NO_LAZY_FETCH: "1",
    // An older git would fetch the missing objects of a partial clone; with no protocol allowed it can't.
    GIT_ALLOW_PROTOCOL: "none",
    GIT_TRACE2: "0",
    GIT_TRACE2_EVENT: "0",
    GIT_TRACE2_PERF: "0",
  };
}

async function findRoot(cwd: string): Promise<{ root: string; isForeign: boolean } | undefined> {
  let folder = await resolveLinks(cwd);
  while (folder !== undefined) {
    const owner = await ownerOf(join(folder, ".git"));
    if (owner !== undefined) {
      const self = process.geteuid?.();
      return { root: folder, isForeign: owner !== self || (await ownerOf(folder)) !== self };
    }
    const parent = dirname(folder);
    folder = parent === folder ? undefined : parent;
  }
  return undefined;
}

/**
 * Git refuses someone else's repository, because its configuration can name programs to run. The usual case is a container
 * that runs as root over a mounted folder, so it is read all the same, with those programs (content filters) taken out.
 */
async function foreignSettings(helper: HelperOptions): Promise<string[]> {
  const trust = ["-c", "safe.directory=*"];
  const pattern = String.raw`^filter\..*\.(clean|smudge|process|required)$`;
  const { stdout } = await runHelper("git", [...trust, "config", "-z", "--name-only", "--get-regexp", pattern], helper);
  const names = stdout
    .toString("utf8")
    .split("\0")
    .filter((name) => name !== "");
  return [...trust, ...names.flatMap((name) => ["-c", name.endsWith(".required") ? `${name}=false` : `${name}=`])];
}

async function excludePathspecs(root: string, path: string): Promise<string[]> {
  const parent = (await resolveLinks(dirname(path))) ?? dirname(path);
  const inside = relative(root, join(parent, basename(path)));
  if (inside === "" || inside === ".." || inside.startsWith("../")) return [];
  return ["", "-wal", "-shm", "-journal"].map((suffix) => `:(top,exclude,literal)${inside}${suffix}`);
}
