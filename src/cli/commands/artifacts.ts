import { createReadStream, createWriteStream, lstatSync } from "node:fs";
import { resolve } from "node:path";
import { basename } from "node:path/posix";
import { pipeline } from "node:stream/promises";
import type { ArtifactFile, ArtifactRepository } from "../../artifacts/artifact-repository.ts";
import type { Run } from "../../entities/run.ts";
import { TrackError } from "../../errors.ts";
import { hasCode } from "../../util/error-code.ts";
import type { Context } from "../context.ts";
import { findRun } from "../find-run.ts";
import { formatBytes } from "../format-number.ts";
import { OutputClosedError } from "../io.ts";
import { openExisting } from "../open-for-reading.ts";
import { writeTable } from "../table.ts";
import { withDownload } from "../transfer/with-download.ts";
import { writeJson } from "../write-json.ts";

export interface ArtifactsOptions {
  readonly recursive?: boolean;
  /** `-` is stdout. */
  readonly output?: string;
  readonly force?: boolean;
  readonly json?: boolean;
  readonly trackingUri?: string;
}

/** Lists one folder of a run's artifacts, or with `recursive` all files below it. An unknown path is an error. */
export async function listArtifacts(
  context: Context,
  options: ArtifactsOptions,
  name: string,
  path: string,
): Promise<void> {
  const { run, repository } = await openArtifacts(context, options, name);
  const folder = trimSlashes(path);
  const entries = await listBelow(repository, folder, options.recursive === true);
  const found = entries.length > 0 ? entries : await listItself(repository, run, folder);
  if (options.json === true) {
    const files = found.map((file) => ({
      path: file.path,
      is_dir: file.isFolder,
      ...(file.size !== undefined && { file_size: file.size }),
    }));
    return writeJson(context.io, { root_uri: run.info.artifactUri, files });
  }
  const showSize = (size: number): string => (context.io.isTerminal ? formatBytes(size) : String(size));
  writeTable(
    context.io,
    [
      { title: "PATH", cell: (file: ArtifactFile) => (file.isFolder ? `${file.path}/` : file.path), minWidth: 20 },
      {
        title: "SIZE",
        cell: (file: ArtifactFile) => (file.size === undefined ? "" : showSize(file.size)),
        isRight: true,
      },
    ],
    found,
  );
}

/** Copies a file, a folder or all artifacts of a run out of the repository; prints the path of the copy. */
export async function getArtifacts(
  context: Context,
  options: ArtifactsOptions,
  name: string,
  path: string,
): Promise<void> {
  const { run, repository } = await openArtifacts(context, options, name);
  const artifact = trimSlashes(path);
  if (options.output === "-") return await writeToStdout(repository, artifact);
  const shortId = run.info.runId.slice(0, 8);
  const target = options.output ?? (artifact === "" ? `artifacts-${shortId}` : basename(artifact));
  const localPath = resolve(context.cwd, target);
  if (options.force !== true && lstatSync(localPath, { throwIfNoEntry: false }) !== undefined) {
    throw new TrackError(`there is something already: ${target}`, { hint: "give another -o, or --force" });
  }
  if (artifact === "" && (await repository.listArtifacts()).length === 0) {
    throw new TrackError(`run ${shortId} has no artifacts`, { hint: `track show ${shortId}` });
  }
  await repository.downloadArtifact(artifact, localPath);
  context.io.out(`${target}\n`);
}

async function openArtifacts(
  context: Context,
  options: ArtifactsOptions,
  name: string,
): Promise<{ readonly run: Run; readonly repository: ArtifactRepository }> {
  await using store = await openExisting(context, "read", options.trackingUri);
  const run = await findRun(store, name);
  return { run, repository: await context.openArtifacts(run.info.artifactUri, options.trackingUri) };
}

async function listBelow(
  repository: ArtifactRepository,
  folder: string,
  isRecursive: boolean,
): Promise<readonly ArtifactFile[]> {
  const entries = await repository.listArtifacts(folder);
  if (!isRecursive) return entries;
  const lists: (readonly ArtifactFile[])[] = [];
  for (const entry of entries) lists.push(entry.isFolder ? await listBelow(repository, entry.path, true) : [entry]);
  return lists.flat();
}

/** Repositories answer a file, an empty folder and an unknown path with the same empty list: its parent tells them apart. */
async function listItself(repository: ArtifactRepository, run: Run, path: string): Promise<readonly ArtifactFile[]> {
  if (path === "") return [];
  const parent = path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : "";
  const entry = (await repository.listArtifacts(parent)).find((file) => file.path === path);
  if (entry !== undefined) return entry.isFolder ? [] : [entry];
  const shortId = run.info.runId.slice(0, 8);
  throw new TrackError(`run ${shortId} has no artifact ${path}`, { hint: `track artifacts ls ${shortId} -r` });
}

async function writeToStdout(repository: ArtifactRepository, artifact: string): Promise<void> {
  try {
    await withDownload(repository, artifact, async (copy) => {
      if (lstatSync(copy).isDirectory()) {
        throw new TrackError(`a folder cannot go to stdout: ${artifact === "" ? "all artifacts" : artifact}`, {
          hint: "name a file, or give -o <folder>",
        });
      }
      await pipeline(createReadStream(copy), createWriteStream("", { fd: 1, autoClose: false }));
    });
  } catch (error) {
    if (hasCode(error, "EPIPE")) throw new OutputClosedError();
    throw error;
  }
}

const trimSlashes = (path: string): string => path.replaceAll(/^\/+|\/+$/gu, "");
