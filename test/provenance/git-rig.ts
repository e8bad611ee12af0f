import { execFileSync } from "node:child_process";
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** A folder for one test, and git in it. */
export interface GitRig extends Disposable {
  readonly folder: string;
  /** Variables for a helper: the real PATH, a home folder of its own. */
  readonly env: Record<string, string | undefined>;
  git(cwd: string, ...args: string[]): string;
  write(path: string, content: string | Buffer): string;
  /** A repository with one commit of `files`. */
  repository(name: string, files: Record<string, string | Buffer>): string;
}

export function createGitRig(): GitRig {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "track git-")));
  const home = join(folder, "home");
  mkdirSync(home);
  const env = { PATH: process.env["PATH"], HOME: home };
  const git = (cwd: string, ...args: string[]): string =>
    execFileSync("git", ["-c", "protocol.file.allow=always", ...args], {
      cwd,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        ...env,
        GIT_AUTHOR_NAME: "a",
        GIT_AUTHOR_EMAIL: "a@b",
        GIT_COMMITTER_NAME: "a",
        GIT_COMMITTER_EMAIL: "a@b",
      },
    });
  const write = (path: string, content: string | Buffer): string => {
    const target = join(folder, path);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, content);
    return target;
  };
  return {
    folder,
    env,
    git,
    write,
    repository(name, files) {
      mkdirSync(join(folder, name), { recursive: true });
      git(join(folder, name), "init", "-q", "-b", "main");
      for (const [path, content] of Object.entries(files)) write(join(name, path), content);
      git(join(folder, name), "add", "-A");
      git(join(folder, name), "commit", "-q", "-m", "first");
      return join(folder, name);
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Path, size, mode and times of everything below a folder, itself included. */
export function listWithTimes(folder: string): string[] {
  const entries = [
    folder,
    ...readdirSync(folder, { recursive: true, encoding: "utf8" }).map((name) => join(folder, name)),
  ];
  return entries.map((path) => {
    const stats = lstatSync(path, { bigint: true });
    return [path, stats.size, stats.mode, stats.mtimeNs, stats.ctimeNs].join(" ");
  });
}
