import { mkdir, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join, posix, resolve } from "node:path";
import { copyPath } from "../artifacts/copy-path.ts";
import type { LogArtifactOperation } from "../entities/journal-entry.ts";
import type { LogArtifactRecord, LogTextRecord } from "../entities/log-record.ts";
import { doesNotExist, invalidParameter, StoreError } from "../errors.ts";
import { hasCode, messageOf } from "../util/error-code.ts";
import { randomHex } from "../util/ids.ts";
import { journalFiles } from "../wire/journal-header.ts";

export interface ArtifactIntakeOptions {
  /** The journal folder. */
  readonly folder: string;
  readonly runId: string;
  /** The run's working folder, for relative paths of senders that say none. */
  readonly cwd: string;
}

/**
 * Takes a copy (a reflink where the file system can) of what is logged as an artifact into the journal's spool, so that
 * what the program does to its file afterwards does not matter. Resolves to the operation that stores it.
 */
export class ArtifactIntake {
  readonly #options: ArtifactIntakeOptions;

  constructor(options: ArtifactIntakeOptions) {
    this.#options = options;
  }

  async takeFile(record: LogArtifactRecord): Promise<LogArtifactOperation> {
    const source = resolve(this.#options.cwd, record.cwd ?? "", record.path);
    const artifactFile = artifactPathOf(record.artifactPath ?? "", basename(source));
    return await this.#spool(record.runId, artifactFile, (target) => copyPath(source, target, this.#options.folder));
  }

  async takeText(record: LogTextRecord, text: string): Promise<LogArtifactOperation> {
    const artifactFile = artifactPathOf("", record.artifactFile);
    return await this.#spool(record.runId, artifactFile, (target) => writeFile(target, text, { mode: 0o600 }));
  }

  async #spool(
    runId: string | undefined,
    artifactFile: string,
    write: (target: string) => Promise<void>,
  ): Promise<LogArtifactOperation> {
    const spoolPath = posix.join(journalFiles.spool, randomHex(6), posix.basename(artifactFile));
    const target = join(this.#options.folder, spoolPath);
    await mkdir(dirname(target), { recursive: true, mode: 0o700 });
    try {
      await write(target);
    } catch (error) {
      await rm(dirname(target), { recursive: true, force: true });
      throw asStoreError(error, artifactFile);
    }
    return { op: "log-artifact", runId: runId ?? this.#options.runId, spoolPath, artifactFile };
  }
}

/** Joins the folder and the name below the artifact root; MLflow's rule: relative, normalized, never upwards. */
export function artifactPathOf(folder: string, name: string): string {
  const path = folder === "" ? name : `${folder.replace(/\/$/u, "")}/${name}`;
  if (
    path === "" ||
    path.startsWith("/") ||
    posix.normalize(path) !== path ||
    path === ".." ||
    path.startsWith("../")
  ) {
    throw invalidParameter(`Invalid artifact path: '${path}'. It must be a relative path without '..'`);
  }
  return path;
}

function asStoreError(error: unknown, artifactFile: string): StoreError {
  if (error instanceof StoreError) return error;
  if (hasCode(error, "ENOENT", "ENOTDIR")) return doesNotExist(`No such artifact: '${messageOf(error)}'`);
  return new StoreError("INTERNAL_ERROR", `artifact ${artifactFile} could not be taken: ${messageOf(error)}`);
}
