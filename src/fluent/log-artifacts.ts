import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, posix, resolve } from "node:path";
import { doesNotExist, invalidParameter } from "../errors.ts";
import { hasCode } from "../util/error-code.ts";
import { checkOptionalText, checkText } from "./argument-checks.ts";
import { read } from "./environment.ts";
import { type Logged, said } from "./log-calls.ts";
import type { RunLog } from "./run-log.ts";

/** A line of the socket has 1 MiB at most; what is longer goes by a file. */
const longestLine = 500_000;

/**
 * Logs a file, or a folder with all in it, as an artifact of the active run, below `artifactPath` where that is given. The promise
 * resolves once a copy is taken: the file may be changed then. It never rejects; what fails later is told by `onError`.
 * Throws `RESOURCE_DOES_NOT_EXIST` for a file that is not there, `INVALID_PARAMETER_VALUE` for a path that leaves the artifacts
 * (contract 10, `log_artifact`).
 */
export function logArtifact(localPath: string, artifactPath?: string): Logged {
  checkText("localPath", localPath);
  checkOptionalText("artifactPath", artifactPath);
  if (artifactPath !== undefined) checkArtifactPath(artifactPath);
  const path = existing(localPath);
  return said((log) => sayFile(log, path, artifactPath));
}

/** The same for all files and folders in a folder, without the folder itself (`log_artifacts`). */
export function logArtifacts(localFolder: string, artifactPath?: string): Logged {
  checkText("localFolder", localFolder);
  checkOptionalText("artifactPath", artifactPath);
  if (artifactPath !== undefined) checkArtifactPath(artifactPath);
  const folder = existing(localFolder);
  if (!statSync(folder).isDirectory()) throw invalidParameter(`'${localFolder}' is no folder`);
  const names = readdirSync(folder);
  return said(async (log) => {
    for (const name of names) await sayFile(log, join(folder, name), artifactPath);
  });
}

/** Logs a text as an artifact, such as `notes/a.txt`. As `logArtifact` in all else (`log_text`). */
export function logText(text: string, artifactFile: string): Logged {
  checkText("text", text);
  checkArtifactFile(artifactFile);
  return said((log) => sayText(log, text, artifactFile));
}

/**
 * Logs a value as JSON, two blanks deep; a `.yaml` file gets JSON as well, which every YAML reader takes (`log_dict`). Throws
 * `INVALID_PARAMETER_VALUE` for what has no JSON.
 */
export function logDict(dictionary: object, artifactFile: string): Logged {
  checkArtifactFile(artifactFile);
  return logText(jsonOf(dictionary, 2), artifactFile);
}

/** Says that a file is to be copied; resolves once it is. */
export function sayFile(log: RunLog, path: string, artifactPath: string | undefined): Promise<void> {
  return log.say({ artifact: path, ...(artifactPath !== undefined && { artifact_path: artifactPath }) });
}

/** The same for a text, which need not be one of a file. */
export async function sayText(log: RunLog, text: string, artifactFile: string): Promise<void> {
  if (text.length < longestLine / 6) return await log.say({ text, artifact_file: artifactFile });
  await sayBytes(log, text, artifactFile);
}

/** The same for what no line can carry. */
export async function sayBytes(log: RunLog, content: string | Uint8Array, artifactFile: string): Promise<void> {
  const folder = mkdtempSync(join(read("TMPDIR") ?? tmpdir(), "track-text-"));
  try {
    const path = join(folder, basename(artifactFile));
    writeFileSync(path, content);
    const above = posix.dirname(artifactFile);
    await sayFile(log, path, above === "." ? undefined : above);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function existing(localPath: string): string {
  const path = resolve(localPath);
  try {
    statSync(path);
    return path;
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR")) throw doesNotExist(`No such file or folder: '${localPath}'`);
    throw error;
  }
}

/** Throws for a path that leaves the run's artifacts, or is none. */
export function checkArtifactFile(path: unknown): asserts path is string {
  checkText("artifactFile", path);
  if (path === "") throw invalidParameter("Invalid artifact path: ''");
  checkArtifactPath(path);
}

function checkArtifactPath(path: string): void {
  const isElsewhere =
    path.startsWith("/") || path.split("/").includes("..") || path.endsWith("/") || path.includes("\0");
  if (path !== "" && !isElsewhere && posix.normalize(path) === path && path !== ".") return;
  throw invalidParameter(`Invalid artifact path: '${path}'. It must be a relative path without '.' and '..'`);
}

/** As Python writes it: ASCII alone. Throws `INVALID_PARAMETER_VALUE` for what has no JSON. */
export function jsonOf(value: unknown, indent?: number): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(value, undefined, indent);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw invalidParameter(`The value has no JSON: ${error.message.split("\n")[0] ?? ""}`);
  }
  if (text === undefined) throw invalidParameter("The value has no JSON");
  return text.replaceAll(/[\u007F-\uFFFF]/g, (mark) => `\\u${mark.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
