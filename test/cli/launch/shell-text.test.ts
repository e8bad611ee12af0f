import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ShellSyntax } from "../../../src/cli/launch/shell-syntax.ts";
import { restoreText, startText } from "../../../src/cli/launch/shell-text.ts";
import { fishShells, posixShells } from "../../e2e/shells.ts";

const values = [
  "",
  "plain",
  "it's",
  "''",
  `'"'`,
  "$HOME `id` $(id)",
  "a\nb\n\n",
  "\\",
  "\\'",
  "!x",
  "*",
  "~",
  "é",
  "a;b & c",
  "-n",
];
const runId = "0123456789abcdef0123456789abcdef";

/** bash takes a socket on stdin for a remote shell, and reads .bashrc. */
const options = (env: Readonly<Record<string, string | undefined>>) => ({
  env: { PATH: process.env["PATH"], LANG: "C.UTF-8", ...env },
  encoding: "utf8" as const,
  stdio: ["ignore" as const, "pipe" as const, "inherit" as const],
});

let folder: string;
beforeAll(() => (folder = mkdtempSync(join(tmpdir(), "shell-text-"))));
afterAll(() => rmSync(folder, { recursive: true }));

describe.each([...posixShells, ...fishShells])("%s", (shell) => {
  test.each(values)("sets and puts back %j", (value) => {
    const syntax = shell as ShellSyntax;
    const log = join(folder, `log-${shell}`);
    rmSync(log, { force: true });
    const before = { PATH: process.env["PATH"], KEPT: "kept", CHANGED: value, GONE: value };
    const after = { PATH: before.PATH, KEPT: "kept", CHANGED: `${value}2`, NEW: value, TRACK_LOG: log };
    const text = startText({ syntax, runId, before, after });
    const printed = (script: string): Record<string, string> => {
      const environment = { ...before, TEXT: text, BACK: restoreText(syntax, runId) } as Record<string, string>;
      const output = execFileSync(shell, ["-c", script], options(environment));
      const entries = output.split("\0").map((entry) => entry.split(/=(.*)/su).slice(0, 2));
      return Object.fromEntries(entries);
    };
    const enter = 'eval "$TEXT"';
    const within = printed(`${enter}; env -0`);
    expect(within).toMatchObject({ KEPT: "kept", CHANGED: `${value}2`, NEW: value, TRACK_LOG: log });
    expect(within).not.toHaveProperty("GONE");
    expect(Object.keys(within).filter((name) => name.startsWith("_track"))).toEqual([]);
    const back = printed(`${enter}; eval "$BACK"; env -0`);
    expect(back).toMatchObject({ KEPT: "kept", CHANGED: value, GONE: value });
    expect(back).not.toHaveProperty("NEW");
    expect(back).not.toHaveProperty("TRACK_LOG");
  });

  test("the pid is that of the shell that evaluates, also as its last command", () => {
    const log = join(folder, `pid-${shell}`);
    const text = startText({ syntax: shell as ShellSyntax, runId, before: {}, after: { TRACK_LOG: log } });
    const own = shell === "fish" ? "$fish_pid" : "$$";
    const output = execFileSync(shell, ["-c", `echo ${own}; eval "$TEXT"`], options({ TEXT: text }));
    expect(readFileSync(log, "utf8")).toBe(`{"shell_pid":${output.trim()}}\n`);
  });
});

test.each(posixShells)("%s: a shell without the note of its earlier variables loses those of the run", (shell) => {
  const output = execFileSync(
    shell,
    ["-c", 'set -eu; eval "$BACK"; echo "${TRACK_RUN_ID-none} ${MLFLOW_RUN_ID-none}"'],
    options({ TRACK_RUN_ID: runId, MLFLOW_RUN_ID: runId, BACK: restoreText("sh", runId) }),
  );
  expect(output).toBe("none none\n");
});
