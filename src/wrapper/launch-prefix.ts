import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { constants as osConstants } from "node:os";
import { hasCode } from "../util/error-code.ts";
import type { LaunchNotes } from "./launch-notes.ts";

/**
 * Words to put in front of a command so that it starts with the ignored and blocked signals and the soft limit of open files that the
 * caller had: Node and libuv set them to something else for every child. Empty in the ordinary case. The tools used here keep the
 * environment byte for byte; a shell is the last resort.
 */
export function launchPrefix(notes: LaunchNotes, name: string): string[] {
  const prefix = [...limitPrefix(notes.softOpenFiles), ...signalPrefix(notes)];
  // `env` would take such a name for an assignment.
  if (prefix.length > 0 && name.includes("=")) prefix.push("/bin/sh", "-c", 'exec "$0" "$@"');
  return prefix;
}

function limitPrefix(softOpenFiles: number | undefined): string[] {
  if (softOpenFiles === undefined) return [];
  const prlimit = findTool("prlimit");
  if (prlimit !== undefined) return [prlimit, `--nofile=${softOpenFiles}:`, "--"];
  return ["/bin/sh", "-c", `ulimit -Sn ${softOpenFiles}; exec "$0" "$@"`];
}

function signalPrefix({ ignoredSignals, blockedSignals }: LaunchNotes): string[] {
  if (ignoredSignals.length + blockedSignals.length === 0) return [];
  const env = findTool("env");
  const options = [
    ...(ignoredSignals.length > 0 ? [`--ignore-signal=${ignoredSignals.map(nameOf).join(",")}`] : []),
    ...(blockedSignals.length > 0 ? [`--block-signal=${blockedSignals.map(nameOf).join(",")}`] : []),
  ];
  if (env !== undefined && isUnderstood(env, options)) return [env, ...options, "--"];
  return ["/bin/sh", "-c", `trap "" ${ignoredSignals.join(" ")}; exec "$0" "$@"`];
}

/** coreutils know these options since 8.31; other `env`s do not. */
function isUnderstood(env: string, options: readonly string[]): boolean {
  return spawnSync(env, [...options, "true"], { stdio: "ignore" }).status === 0;
}

function nameOf(signalNumber: number): string {
  const name = Object.entries(osConstants.signals).find(([, number]) => number === signalNumber)?.[0];
  return name?.slice("SIG".length) ?? String(signalNumber);
}

/** Not looked up on PATH, which is the command's and may lead anywhere. */
function findTool(name: string): string | undefined {
  return [`/usr/bin/${name}`, `/bin/${name}`].find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch (error) {
      if (hasCode(error, "ENOENT", "EACCES", "ENOTDIR")) return false;
      throw error;
    }
  });
}
