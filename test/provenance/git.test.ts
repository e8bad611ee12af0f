import { chmodSync, existsSync, mkdirSync, renameSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openRepository } from "../../src/provenance/git-command.ts";
import { collectGitTags, gitTags, readProvenance, withoutCredentials } from "../../src/provenance/git.ts";
import { createGitRig, listWithTimes, type GitRig } from "./git-rig.ts";

let rig: GitRig;
beforeEach(() => {
  rig = createGitRig();
});
afterEach(() => rig[Symbol.dispose]());

const collect = (cwd: string, excludes: string[] = []): ReturnType<typeof collectGitTags> =>
  collectGitTags(cwd, { env: rig.env, excludes });

describe("collectGitTags", () => {
  it("says commit, branch, url and dirty, from a folder below the root", async () => {
    const repo = rig.repository("repo", { "a.txt": "a", "src/b.txt": "b" });
    rig.git(repo, "remote", "add", "zzz", "https://u:p@host/zzz.git");
    rig.git(repo, "remote", "add", "origin", "https://user:secret@host/origin.git");
    const commit = rig.git(repo, "rev-parse", "HEAD").trim();
    const clean = await collect(join(repo, "src"));
    expect(clean).toEqual({ root: repo, commit, branch: "main", repoUrl: "https://host/origin.git", isDirty: false });
    expect(gitTags(clean!)).toEqual([
      { key: "mlflow.source.git.commit", value: commit },
      { key: "mlflow.source.git.branch", value: "main" },
      { key: "mlflow.source.git.repoURL", value: "https://host/origin.git" },
      { key: "mlflow.source.git.dirty", value: "false" },
    ]);
    rig.write("repo/untracked.txt", "x");
    expect((await collect(repo))?.isDirty).toBe(false);
    rig.write("repo/src/b.txt", "changed");
    expect((await collect(join(repo, "src")))?.isDirty).toBe(true);
  });

  it("prefers the remote of the branch's upstream, and takes the first where nothing says more", async () => {
    const repo = rig.repository("repo", { a: "a" });
    rig.git(repo, "remote", "add", "first", "git@host:first.git");
    expect((await collect(repo))?.repoUrl).toBe("git@host:first.git");
    rig.git(repo, "remote", "add", "origin", "ssh://git:pw@host/origin");
    expect((await collect(repo))?.repoUrl).toBe("ssh://git@host/origin");
    rig.git(repo, "config", "branch.main.remote", "first");
    expect((await collect(repo))?.repoUrl).toBe("git@host:first.git");
  });

  it("counts staged changes, deletions and modes, not a touched file", async () => {
    const repo = rig.repository("repo", { a: "a", b: "b" });
    utimesSync(join(repo, "a"), 1, 1);
    expect((await collect(repo))?.isDirty).toBe(false);
    chmodSync(join(repo, "a"), 0o755);
    expect((await collect(repo))?.isDirty).toBe(true);
    rig.git(repo, "checkout", "-q", ".");
    rig.write("repo/new", "n");
    rig.git(repo, "add", "new");
    expect((await collect(repo))?.isDirty).toBe(true);
  });

  it("leaves our own files out of dirty", async () => {
    const repo = rig.repository("repo", {
      "work/mlflow.db": "a",
      "work/mlflow.db-wal": "w",
      "work/mlruns/0/meta": "b",
      "work/mlruns2": "c",
    });
    rig.write("repo/work/mlflow.db", "changed");
    rig.write("repo/work/mlflow.db-wal", "changed");
    rig.write("repo/work/mlruns/0/meta", "changed");
    const excludes = [join(repo, "work/mlflow.db"), join(repo, "work/mlruns"), "/elsewhere/.track"];
    expect((await collect(repo, excludes))?.isDirty).toBe(false);
    expect((await collect(join(repo, "work"), excludes))?.isDirty).toBe(false);
    expect((await collect(repo))?.isDirty).toBe(true);
    rig.write("repo/work/mlruns2", "changed");
    expect((await collect(repo, excludes))?.isDirty).toBe(true);
  });

  it("has no branch on a detached HEAD, no tags before the first commit, nothing outside or in a bare repository", async () => {
    const repo = rig.repository("repo", { a: "a" });
    rig.git(repo, "checkout", "-q", "--detach");
    expect(await collect(repo)).toEqual({
      root: repo,
      commit: expect.stringMatching(/^[0-9a-f]{40}$/u),
      isDirty: false,
    });
    mkdirSync(join(rig.folder, "fresh"));
    rig.git(join(rig.folder, "fresh"), "init", "-q", "-b", "trunk");
    const fresh = await collect(join(rig.folder, "fresh"));
    expect(fresh).toEqual({ root: join(rig.folder, "fresh"), branch: "trunk" });
    expect(gitTags(fresh!)).toEqual([]);
    rig.git(rig.folder, "init", "-q", "--bare", "bare.git");
    expect(await collect(join(rig.folder, "bare.git"))).toBeUndefined();
    expect(await collect(rig.folder)).toBeUndefined();
    expect(await collect(join(rig.folder, "not", "there"))).toBeUndefined();
    expect(await collect(join(repo, ".git"))).toMatchObject({ root: repo });
  });

  it("knows worktrees, submodules and folders reached by a link", async () => {
    const repo = rig.repository("repo", { a: "a" });
    const inner = rig.repository("inner", { b: "b" });
    rig.git(repo, "submodule", "add", "-q", inner, "sub");
    rig.git(repo, "commit", "-q", "-m", "sub");
    rig.git(repo, "worktree", "add", "-q", "-b", "side", join(rig.folder, "tree"));
    expect(await collect(join(rig.folder, "tree"))).toMatchObject({
      root: join(rig.folder, "tree"),
      branch: "side",
      isDirty: false,
    });
    expect(await collect(join(repo, "sub"))).toMatchObject({ root: join(repo, "sub"), repoUrl: inner, isDirty: false });
    symlinkSync(repo, join(rig.folder, "link"));
    expect(await collect(join(rig.folder, "link"), [join(rig.folder, "link", "a")])).toMatchObject({
      root: repo,
      isDirty: false,
    });
    rig.write("repo/sub/untracked", "u");
    expect((await collect(repo))?.isDirty).toBe(false);
    rig.write("repo/sub/b", "changed");
    expect((await collect(repo))?.isDirty).toBe(true);
  });

  it("is quiet about a broken repository", async () => {
    const repo = rig.repository("repo", { a: "a" });
    rig.write("repo/.git/HEAD", "rubbish");
    expect(await collect(repo)).toBeUndefined();
    rig.write("file/.git", "gitdir: /nowhere");
    expect(await collect(join(rig.folder, "file"))).toBeUndefined();
  });

  it("leaves no trace, not even for a file whose times are stale, and starts nothing that the repository names", async () => {
    const repo = rig.repository("repo", { a: "a", b: "b", "c.nb": "c" });
    const witness = join(rig.folder, "witness");
    for (const hook of ["post-index-change", "fsmonitor-watchman", "pre-commit"]) {
      rig.write(`repo/.git/hooks/${hook}`, `#!/bin/sh\necho ${hook} >> '${witness}'\n`);
      chmodSync(join(repo, ".git/hooks", hook), 0o755);
    }
    rig.git(repo, "config", "core.fsmonitor", ".git/hooks/fsmonitor-watchman");
    rig.git(repo, "config", "core.pager", `echo pager >> '${witness}'; cat`);
    utimesSync(join(repo, "a"), 1, 1);
    rig.write("repo/b", "changed");
    const before = listWithTimes(repo);
    expect((await collect(repo))?.isDirty).toBe(true);
    expect(listWithTimes(repo)).toEqual(before);
    expect(existsSync(witness)).toBe(false);
  });

  it("is not led elsewhere by GIT_DIR and does not write a trace where GIT_TRACE says", async () => {
    const repo = rig.repository("repo", { a: "a" });
    const other = rig.repository("other", { b: "b" });
    const trace = join(rig.folder, "trace");
    const env = { ...rig.env, GIT_DIR: join(other, ".git"), GIT_TRACE: trace, GIT_INDEX_FILE: "/nowhere" };
    expect(await collectGitTags(repo, { env, excludes: [] })).toMatchObject({ root: repo, isDirty: false });
    expect(existsSync(trace)).toBe(false);
  });

  it("does without git", async () => {
    const repo = rig.repository("repo", { a: "a" });
    expect(await collectGitTags(repo, { env: { PATH: "/nowhere" }, excludes: [] })).toBeUndefined();
  });

  it("ends a git that hangs, with all that it started", async () => {
    const repo = rig.repository("repo", { a: "a" });
    const pids = join(rig.folder, "pids");
    const fake = rig.write("bin/git", `#!/bin/sh\nsleep 1000 &\necho $! >> '${pids}'\nwait\n`);
    chmodSync(fake, 0o755);
    const abort = new AbortController();
    const env = { PATH: `${join(rig.folder, "bin")}:${process.env["PATH"] ?? ""}` };
    const pending = collectGitTags(repo, { env, excludes: [], signal: abort.signal });
    await expect.poll(() => readLines(pids).length).toBe(2);
    abort.abort();
    expect(await pending).toBeUndefined();
    await expect.poll(() => readLines(pids).filter((pid) => isAlive(Number(pid)))).toEqual([]);
  });

  it("still says commit, branch and url where comparing the files takes too long", async () => {
    const repo = rig.repository("repo", { a: "a" });
    rig.git(repo, "remote", "add", "origin", "git@host:x.git");
    const real = rig.git(repo, "--exec-path").trim();
    const slow = `#!/bin/sh\ncase " $* " in *" status "*) exec sleep 1000;; esac\nexec '${real}/git' "$@"\n`;
    chmodSync(rig.write("bin/git", slow), 0o755);
    const env = { ...rig.env, PATH: `${join(rig.folder, "bin")}:${rig.env["PATH"] ?? ""}` };
    const repository = await openRepository(repo, { env, excludes: [] });
    const commit = rig.git(repo, "rev-parse", "HEAD").trim();
    const expected = { root: repo, commit, branch: "main", repoUrl: "git@host:x.git" };
    expect(await readProvenance(repository!, { statusTimeoutMs: 200 })).toEqual(expected);
    expect(gitTags(expected).map(({ key }) => key)).not.toContain("mlflow.source.git.dirty");
  });

  it("reads a repository of somebody else, without the programs that its configuration names", async (context) => {
    if (process.geteuid?.() !== 0) context.skip("needs root to give the repository away");
    const repo = rig.repository("repo", { "a.txt": "a" });
    const witness = join(rig.folder, "witness");
    rig.write("repo/.git/info/attributes", "*.txt filter=evil\n");
    rig.git(repo, "config", "filter.evil.clean", `echo ran >> '${witness}'; cat`);
    rig.git(repo, "config", "filter.evil.required", "true");
    renameSync(join(repo, "a.txt"), join(repo, "a2.txt"));
    writeFileSync(join(repo, "a.txt"), "b");
    rig.git(rig.folder, "version");
    const { chownSync } = await import("node:fs");
    chownSync(repo, 12_345, 12_345);
    chownSync(join(repo, ".git"), 12_345, 12_345);
    expect(await collect(repo)).toMatchObject({ branch: "main", isDirty: true });
    expect(existsSync(witness)).toBe(false);
  });

  it("takes few milliseconds", async () => {
    const repo = rig.repository(
      "repo",
      Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`f${index}`, `${index}`])),
    );
    const times: number[] = [];
    for (let round = 0; round < 10; round += 1) {
      const start = performance.now();
      await collect(repo);
      times.push(performance.now() - start);
    }
    // Measured 8 to 12 ms on an idle machine.
    expect(Math.min(...times)).toBeLessThan(100);
  });
});

describe("withoutCredentials", () => {
  it.each([
    ["https://user:pass@host/x.git", "https://host/x.git"],
    ["https://ghp_token@github.com/a/b", "https://github.com/a/b"],
    ["https://user:p@ss@host/x", "https://host/x"],
    ["ssh://git@host:22/x", "ssh://git@host:22/x"],
    ["ssh://git:pw@host/x", "ssh://git@host/x"],
    ["git@github.com:a/b.git", "git@github.com:a/b.git"],
    ["/some/path@x", "/some/path@x"],
    ["file:///a/b@c", "file:///a/b@c"],
  ])("%s", (url, expected) => expect(withoutCredentials(url)).toBe(expected));
});

function readLines(path: string): string[] {
  return existsSync(path)
    ? readFile(path)
        .split("\n")
        .filter((line) => line !== "")
    : [];
}

function readFile(path: string): string {
  return process.getBuiltinModule("node:fs").readFileSync(path, "utf8");
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/\) Z /u.test(readFile(`/proc/${pid}/stat`));
  } catch {
    return false;
  }
}
