import { chmodSync, mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { resolveCommand } from "../../src/wrapper/resolve-command.ts";
import { isInteractiveProgram } from "../../src/wrapper/stdio/interactive-programs.ts";

const folder = mkdtempSync(join(tmpdir(), "track-resolve-"));
for (const [name, mode] of [
  ["a/tool", 0o644],
  ["b/tool", 0o755],
  ["a/locked", 0o644],
] as const) {
  mkdirSync(join(folder, name, ".."), { recursive: true });
  writeFileSync(join(folder, name), "#!/bin/sh\n");
  chmodSync(join(folder, name), mode);
}

describe("resolveCommand", () => {
  const path = `${folder}/a:${folder}/b`;

  test("goes on after a file that may not be run", () => {
    expect(resolveCommand("tool", path, folder)).toBe(`${folder}/b/tool`);
  });

  test("remembers that file when there is nothing better", () => {
    expect(resolveCommand("locked", path, folder)).toEqual({ exitCode: 126, message: "locked: Permission denied" });
  });

  test("an empty element of PATH is the current folder, a missing PATH the system's", () => {
    expect(resolveCommand("tool", ":/nowhere", join(folder, "b"))).toBe("./tool");
    expect(resolveCommand("sh", undefined, folder)).toMatch(/^(?:\/usr)?\/bin\/sh$/u);
  });

  test("a name with a slash is not looked up", () => {
    expect(resolveCommand("b/tool", path, folder)).toBe("b/tool");
    expect(resolveCommand("./tool", path, folder)).toEqual({
      exitCode: 127,
      message: "./tool: No such file or directory",
    });
  });
});

test.for([
  [["bash"], true],
  [["bash", "-i"], true],
  [["bash", "--rcfile", "x"], true],
  [["bash", "-c", "true"], false],
  [["bash", "-lc", "true"], false],
  [["sh", "train.sh"], false],
  [["vim", "x"], true],
  [["less"], true],
  [["python3"], true],
  [["python3.12", "train.py"], false],
  [["python3", "-c", "1"], false],
  [["python3", "-m", "x"], false],
  [["node", "x.js"], false],
  [["env", "A=1", "-u", "B", "bash"], false],
  [["env", "A=1", "bash", "--norc", "-i"], true],
  [["nice", "-n", "10", "/usr/bin/vim", "x"], true],
  [["env", "A=1", "python3", "train.py"], false],
  [["env", "SHELL=/bin/bash"], false],
  [["nice", "-n", "10"], false],
  [["sh", "-c", "less text.txt"], true],
  [["sh", "-c", "exec env A=1 bash -i"], true],
  [["sh", "-c", "less text.txt; echo done"], false],
  [["sh", "-c", "python3 train.py"], false],
  [["sh", "-c", ""], false],
  [["sh", "-c"], false],
] as const)("%j is interactive: %s", ([argv, expected]) => {
  expect(isInteractiveProgram(argv[0], argv.slice(1))).toBe(expected);
});
