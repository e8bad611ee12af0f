import { basename } from "node:path";
import { readOrUndefined, readStat } from "../../util/proc.ts";
import { type ShellSyntax, shellSyntaxes } from "./shell-syntax.ts";

export interface CallingShell {
  readonly pid: number;
  readonly syntax: ShellSyntax;
  /** Its command line, or that of the shell it was forked from. */
  readonly argv: readonly string[];
}

const otherShells: readonly string[] = ["ash", "busybox", "ksh", "ksh93", "mksh", "yash"];
/** `npx`, `timeout`, `env` and the like stand between. */
const generations = 8;

/** The nearest shell above this process, in which what is printed here will be evaluated; `undefined` without /proc. */
export function findCallingShell(parentPid: number): CallingShell | undefined {
  let pid = parentPid;
  for (let steps = 0; steps < generations && pid > 1; steps += 1) {
    const syntax = shellSyntaxOf(pid);
    if (syntax !== undefined) return { pid, syntax, argv: argvOf(pid) };
    pid = Number(readStat(pid)?.[1] ?? 0);
  }
  return undefined;
}

/** What a process's name says; `undefined` where it is no shell. */
export function shellSyntaxOf(pid: number): ShellSyntax | undefined {
  const name = readOrUndefined(`/proc/${pid}/comm`)?.trim().replace(/^-/u, "") ?? "";
  const known = shellSyntaxes.find((syntax) => syntax === name);
  return known ?? (otherShells.includes(name) ? "sh" : undefined);
}

function argvOf(pid: number): readonly string[] {
  const words = Buffer.from(readOrUndefined(`/proc/${pid}/cmdline`) ?? "", "latin1")
    .toString()
    .split("\0")
    .slice(0, -1);
  // A login shell's name begins with a dash.
  return words.map((word, index) => (index === 0 ? basename(word).replace(/^-/u, "") : word));
}
