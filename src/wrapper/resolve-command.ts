import { accessSync, closeSync, constants, openSync, readSync, statSync } from "node:fs";
import { hasCode } from "../util/error-code.ts";

/** Why a command cannot be started, with the exit code that `env` gives for it. */
export interface CommandFault {
  readonly exitCode: 126 | 127;
  readonly message: string;
}

/** glibc's own list where the environment has no PATH at all. */
const defaultPath = "/bin:/usr/bin";

/**
 * Finds the file that execvp(3) would run for `name`, as an absolute or relative path like the one it tries, or says why there is none.
 * `path` is the command's PATH; `undefined` means that the variable is not set.
 */
export function resolveCommand(name: string, path: string | undefined, cwd: string): string | CommandFault {
  if (name === "") return { exitCode: 127, message: "'': No such file or directory" };
  if (name.includes("/")) {
    const fault = whyNotRunnable(name, cwd);
    return fault === undefined ? name : faultOf(name, fault);
  }
  let fault = "not found";
  for (const folder of (path ?? defaultPath).split(":")) {
    const candidate = folder === "" ? `./${name}` : `${folder}/${name}`;
    const reason = whyNotRunnable(candidate, cwd);
    if (reason === undefined) return candidate;
    // As execvp does: what may not be run is remembered, what is not there is not.
    if (reason === "EACCES" || reason === "EISDIR") fault = reason;
  }
  return faultOf(name, fault);
}

/** The exit code and line for a system error of execve; the same words as `env` where it has any. */
export function faultOf(name: string, code: string): CommandFault {
  switch (code) {
    case "not found":
      return { exitCode: 127, message: `${name}: command not found` };
    case "ENOENT":
      return { exitCode: 127, message: `${name}: No such file or directory` };
    case "no interpreter":
      return { exitCode: 127, message: `${name}: its interpreter (first line, after #!) is not there` };
    case "EISDIR":
      return { exitCode: 126, message: `${name}: Is a directory` };
    case "EACCES":
      return { exitCode: 126, message: `${name}: Permission denied` };
    case "ENOTDIR":
      return { exitCode: 126, message: `${name}: Not a directory` };
    case "E2BIG":
      return { exitCode: 126, message: `${name}: Argument list too long` };
    default:
      return { exitCode: 126, message: `${name}: cannot be started (${code})` };
  }
}

function whyNotRunnable(file: string, cwd: string): string | undefined {
  const absolute = file.startsWith("/") || cwd === "" ? file : `${cwd}/${file}`;
  try {
    if (statSync(absolute).isDirectory()) return "EISDIR";
    accessSync(absolute, constants.X_OK);
    return lacksInterpreter(absolute) ? "no interpreter" : undefined;
  } catch (error) {
    if (error instanceof Error && "code" in error && typeof error.code === "string") return error.code;
    throw error;
  }
}

function lacksInterpreter(file: string): boolean {
  let fd: number;
  try {
    fd = openSync(file, "r");
  } catch (error) {
    // A program may be runnable without being readable.
    if (hasCode(error, "EACCES", "EPERM", "ETXTBSY", "EMFILE", "ENFILE")) return false;
    throw error;
  }
  try {
    const head = Buffer.alloc(256);
    const line = /^#![ \t]*([^ \t\n]+)/u.exec(head.toString("latin1", 0, readSync(fd, head, 0, 256, 0)));
    return line?.[1] !== undefined && !isThere(line[1]);
  } finally {
    closeSync(fd);
  }
}

function isThere(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}
