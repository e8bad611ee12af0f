import {
  chmodSync,
  existsSync,
  lstatSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { writeGitDiff, writeUntracked, type WrittenFile } from "../../src/provenance/git-artifacts.ts";
import { openRepository } from "../../src/provenance/git-command.ts";
import { PatchCollector } from "../../src/provenance/patch-collector.ts";
import { createMasker } from "../../src/wire/redact.ts";
import { createGitRig, listWithTimes, type GitRig } from "./git-rig.ts";

let rig: GitRig;
beforeEach(() => {
  rig = createGitRig();
});
afterEach(() => rig[Symbol.dispose]());

interface Wanted {
  readonly excludes?: string[];
  readonly limit?: number;
  readonly secrets?: Record<string, string>;
}

async function write(
  kind: "diff" | "untracked",
  cwd: string,
  wanted: Wanted = {},
): Promise<WrittenFile & { text: string; path: string }> {
  const repository = await openRepository(cwd, { env: rig.env, excludes: wanted.excludes ?? [] });
  const path = join(rig.folder, `${kind}.out`);
  rmSync(path, { force: true });
  const masker = createMasker(wanted.secrets ?? {}, { enabled: true });
  const options = { masker, ...(wanted.limit !== undefined && { limit: wanted.limit }) };
  const result = await (kind === "diff" ? writeGitDiff : writeUntracked)(repository!, path, options);
  return { ...result, path, text: existsSync(path) ? readFileSync(path, "latin1") : "" };
}

/** Content and mode of every file outside .git. */
function snapshot(folder: string): Record<string, string> {
  const names = readdirSync(folder, { recursive: true, encoding: "latin1" }).filter(
    (name) => !/(?:^|\/)\.git(?:\/|$)/u.test(name),
  );
  return Object.fromEntries(
    names.sort().flatMap((name) => {
      const path = Buffer.concat([Buffer.from(`${folder}/`), Buffer.from(name, "latin1")]);
      const stats = lstatSync(path);
      if (stats.isDirectory()) return [];
      const content = stats.isSymbolicLink() ? "link" : readFileSync(path, "latin1");
      return [[name, `${(stats.mode & 0o111) === 0 ? "-" : "x"} ${content}`]];
    }),
  );
}

const binary = (seed: number): Buffer =>
  Buffer.from(Array.from({ length: 5000 }, (_, index) => (index * seed + (index >> 3)) % 256));

describe("writeGitDiff", () => {
  it("writes what git apply turns a clean clone into the same tree with", async () => {
    const repo = rig.repository("repo", {
      "text.txt": "one\ntwo\nthree\n",
      "crlf.txt": "one\r\ntwo\r\n",
      "no-newline": "end",
      "binary.bin": binary(7),
      "gone.txt": "gone\n",
      "mode.sh": "#!/bin/sh\n",
      "old name.txt": "a long enough text\nto be seen as renamed\nwhen it moves\n",
      "with space/ä ö \u{1F600}.txt": "x\n",
      'quote"d\tname\n.txt': "x\n",
      latin1: Buffer.from([0xe4, 0x0a, 0xff]),
      empty: "",
    });
    rig.git(repo, "config", "diff.noprefix", "true");
    rig.git(repo, "config", "diff.external", "false");
    rig.git(repo, "config", "color.ui", "always");
    rig.git(repo, "config", "diff.relative", "true");
    rig.git(repo, "config", "diff.orderFile", "/nowhere");
    rig.git(repo, "config", "diff.upper.textconv", "tr a-z A-Z <");
    rig.write("repo/.git/info/attributes", "*.txt diff=upper\n");
    rig.git(rig.folder, "clone", "-q", repo, "clone");
    rig.write("repo/text.txt", "one\n2\nthree\nfour");
    rig.write("repo/crlf.txt", "one\r\n2\r\nthree\n");
    rig.write("repo/no-newline", "end.");
    rig.write("repo/binary.bin", binary(11));
    unlinkSync(join(repo, "gone.txt"));
    chmodSync(join(repo, "mode.sh"), 0o755);
    renameSync(join(repo, "old name.txt"), join(repo, "new name.txt"));
    rig.git(repo, "add", "-A", "old name.txt", "new name.txt");
    rig.write("repo/with space/ä ö \u{1F600}.txt", "y\n");
    rig.write('repo/quote"d\tname\n.txt', "y\n");
    rig.write("repo/latin1", Buffer.from([0xe5, 0x0a, 0xfe]));
    rig.write("repo/empty", "no more\n");
    rig.write("repo/staged/new.bin", binary(13));
    symlinkSync("text.txt", join(repo, "link"));
    rig.git(repo, "add", "staged", "link");
    rig.write("repo/staged/new.bin", binary(17));
    const before = listWithTimes(repo);
    const diff = await write("diff", join(repo, "staged"));
    expect(listWithTimes(repo)).toEqual(before);
    expect(diff).toMatchObject({ isWritten: true, isTruncated: false });
    const clone = join(rig.folder, "clone");
    rig.git(clone, "apply", "--whitespace=nowarn", diff.path);
    expect(snapshot(clone)).toEqual(snapshot(repo));
    expect(diff.text).not.toContain("\u001b");
  });

  it("writes nothing for a clean tree or one that is only touched, leaves our own files out", async () => {
    const repo = rig.repository("repo", { a: "a", "mlflow.db": "db" });
    utimesSync(join(repo, "a"), 1, 1);
    expect(await write("diff", repo)).toMatchObject({ isWritten: false, isTruncated: false, text: "" });
    rig.write("repo/mlflow.db", "changed");
    expect(await write("diff", repo, { excludes: [join(repo, "mlflow.db")] })).toMatchObject({ isWritten: false });
    expect((await write("diff", repo)).text).toContain("mlflow.db");
  });

  it("keeps the files that fit, whole, and says that others are missing", async () => {
    const repo = rig.repository("repo", { a: "a\n", big: "b\n", c: "c\n" });
    rig.git(rig.folder, "clone", "-q", repo, "clone");
    rig.write("repo/a", "A\n");
    rig.write("repo/big", "line\n".repeat(400_000));
    rig.write("repo/c", "C\n");
    const diff = await write("diff", repo, { limit: 100_000 });
    expect(diff).toMatchObject({ isWritten: true, isTruncated: true });
    const clone = join(rig.folder, "clone");
    rig.git(clone, "apply", diff.path);
    expect(["a", "big", "c"].map((name) => readFileSync(join(clone, name), "utf8"))).toEqual(["A\n", "b\n", "C\n"]);
  });

  it("masks secrets, and nothing else", async () => {
    const repo = rig.repository("repo", { a: "a\n" });
    rig.write("repo/a", "a\nkey = 'hunter2-hunter2'\nurl = https://u:p@h/x\n");
    const open = await write("diff", repo);
    const masked = await write("diff", repo, { secrets: { MY_TOKEN: "hunter2-hunter2" } });
    expect(masked.text).toBe(open.text.replace("hunter2-hunter2", "***"));
    expect(masked.text).toContain("https://***@h/x");
    rig.git(repo, "stash", "-q");
    rig.git(repo, "apply", masked.path);
  });

  it("shows changes in submodules as a patch of the whole, but for their binary files", async () => {
    const inner = rig.repository("inner", { b: "b\n", bin: binary(7) });
    const repo = rig.repository("repo", { a: "a\n" });
    rig.git(repo, "submodule", "add", "-q", inner, "sub");
    rig.git(repo, "commit", "-q", "-m", "sub");
    rig.git(rig.folder, "clone", "-q", "--recurse-submodules", repo, "clone");
    rig.write("repo/a", "A\n");
    rig.write("repo/sub/b", "B\n");
    rig.write("repo/sub/bin", binary(9));
    rig.write("repo/sub/untracked", "u\n");
    const diff = await write("diff", repo);
    expect(diff.isTruncated).toBe(true);
    const clone = join(rig.folder, "clone");
    rig.git(clone, "apply", diff.path);
    expect([readFileSync(join(clone, "a"), "utf8"), readFileSync(join(clone, "sub/b"), "utf8")]).toEqual([
      "A\n",
      "B\n",
    ]);
  });

  it("says the pointer of a large file, and copies nothing into .git", async () => {
    const pointer =
      "version https://git-lfs.github.com/spec/v1\noid sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae\nsize 3\n";
    const repo = rig.repository("repo", { "model.bin": pointer, "pointer.bin": pointer });
    rig.git(repo, "config", "filter.lfs.clean", "tee .git/lfs-object");
    rig.git(repo, "config", "filter.lfs.required", "true");
    rig.write("repo/.git/info/attributes", "*.bin filter=lfs\n");
    rig.write("repo/model.bin", "bar");
    utimesSync(join(repo, "pointer.bin"), 1, 1);
    const diff = await write("diff", repo);
    expect(diff.text).toContain("+oid sha256:fcde2b2edba56bf408601fb721fe9b5c338d10ee429ea04fae5511b68fbf8fb9\n");
    expect(diff.text).not.toContain("pointer.bin");
    expect(existsSync(join(repo, ".git/lfs-object"))).toBe(false);
    rig.write("repo/model.bin", "foo");
    expect((await write("diff", repo)).isWritten).toBe(false);
  });

  it("writes nothing before the first commit", async () => {
    const repo = rig.repository("repo", { a: "a" });
    rig.git(repo, "checkout", "-q", "--orphan", "other");
    expect(await write("diff", repo)).toMatchObject({ isWritten: false });
  });
});

describe("writeUntracked", () => {
  it("names files that are neither tracked, ignored nor ours", async () => {
    const repo = rig.repository("repo", { a: "a", ".gitignore": "*.log\n" });
    for (const name of ["new.txt", "x.log", "sub/ä b.txt", "line\nbreak", "mlflow.db", "mlflow.db-wal", "mlruns/0/x"])
      rig.write(`repo/${name}`, "x");
    const excludes = [join(repo, "mlflow.db"), join(repo, "mlruns")];
    const before = listWithTimes(join(repo, ".git"));
    const untracked = await write("untracked", join(repo, "sub"), { excludes });
    expect(listWithTimes(join(repo, ".git"))).toEqual(before);
    expect(untracked).toMatchObject({ isWritten: true, isTruncated: false });
    expect(Buffer.from(untracked.text, "latin1").toString()).toBe('"line\\nbreak"\nnew.txt\nsub/ä b.txt\n');
    expect(lstatSync(untracked.path).mode & 0o777).toBe(0o600);
  });

  it("stops at the limit and says so", async () => {
    const repo = rig.repository("repo", { a: "a" });
    for (const name of ["1", "2", "3"]) rig.write(`repo/${name}`, "");
    expect(await write("untracked", repo, { limit: 2 })).toMatchObject({ isTruncated: true, text: "1\n2\n" });
    expect(await write("untracked", repo, { limit: 3 })).toMatchObject({ isTruncated: false, text: "1\n2\n3\n" });
  });

  it("writes nothing where there is none", async () => {
    const repo = rig.repository("repo", { a: "a" });
    expect(await write("untracked", repo)).toMatchObject({ isWritten: false, isTruncated: false });
  });
});

describe("PatchCollector", () => {
  it("masks text, not packed data", () => {
    const collector = new PatchCollector(1000, (file) => Buffer.from(file.toString().replaceAll("x", "***")));
    const packed = "diff --git a/b b/b\nindex 1..2\nGIT binary patch\nliteral 1\nxxx\n";
    collector.push(Buffer.from(`diff --git a/1 b/1\n+x\n${packed}`));
    expect(Buffer.concat(collector.end(true).chunks).toString()).toBe(`diff --git a/1 b/1\n+***\n${packed}`);
  });

  const files = [
    "diff --git a/1 b/1\n+x\n",
    "diff --git a/2 b/2\n+diff --git a/3\n",
    `diff --git a/4 b/4\n+${"y".repeat(50)}\n`,
    "diff --git a/5 b/5\n",
  ];

  it.each([1, 2, 7, 1000])("finds the files in chunks of %i bytes", (size) => {
    const patch = Buffer.from(files.join(""));
    const collector = new PatchCollector(100, (file) => file);
    for (let at = 0; at < patch.length; at += size) collector.push(patch.subarray(at, at + size));
    const { chunks, isTruncated } = collector.end(true);
    expect(Buffer.concat(chunks).toString()).toBe(`${files[0]}${files[1]}${files[3]}`);
    expect(isTruncated).toBe(true);
  });

  it("leaves out the last file when git did not finish", () => {
    const collector = new PatchCollector(1000, (file) => file);
    collector.push(Buffer.from(files.join("")));
    const { chunks, isTruncated } = collector.end(false);
    expect(Buffer.concat(chunks).toString()).toBe(files.slice(0, 3).join(""));
    expect(isTruncated).toBe(true);
  });
});
