import { closeSync, openSync, readSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { join, resolve } from "node:path";
import { isServerUri, resolveTrackingUri } from "../../settings/tracking-uri.ts";
import { TrackError, UsageError } from "../../errors.ts";
import { hasCode, messageOf } from "../../util/error-code.ts";
import type { Context } from "../context.ts";
import { isAliveHere } from "../run-liveness.ts";
import type { ImportSource } from "../transfer/import-source.ts";
import { type ImportedRun, RunImporter } from "../transfer/run-importer.ts";
import { writeJson } from "../write-json.ts";

export interface ImportOptions {
  /** Folder that `track export --artifacts` filled. */
  readonly artifacts?: string;
  readonly withArtifacts?: boolean;
  readonly json?: boolean;
  readonly trackingUri?: string;
}

/**
 * Takes runs into the store in force: from what `track export` wrote, an `mlruns` folder, or another tracking URI. Again is
 * harmless. 1 when something was skipped; what was read before a fault stays.
 */
export async function importRuns(context: Context, options: ImportOptions, from: string): Promise<number> {
  const trackingUri = context.trackingUri(options.trackingUri);
  await using source = await openSource(context, options, from, trackingUri);
  await using store = await context.openStore("write", options.trackingUri);
  const importer = new RunImporter(source, {
    store,
    keepsIds: !isServerUri(trackingUri),
    withArtifacts: options.withArtifacts !== false,
    openArtifacts: (artifactUri) => context.openArtifacts(artifactUri, options.trackingUri),
    isAlive: (run) => isAliveHere(context, run, options.trackingUri),
    warn: (text) => context.io.say(text),
  });
  for await (const record of source.records()) await importer.take(record);
  await importer.finish();
  tell(context, options, importer.imported);
  if (importer.unfinished !== undefined) {
    throw new TrackError(`${from} is cut short: run ${importer.unfinished} has no end`, {
      hint: "export it again; a second import only adds what is missing",
    });
  }
  return importer.imported.some(({ result }) => result === "skipped") ? 1 : 0;
}

async function openSource(
  context: Context,
  options: ImportOptions,
  from: string,
  trackingUri: string,
): Promise<ImportSource> {
  const openFolder = (path: string) => context.openArtifacts(path, options.trackingUri);
  if (/^(?:sqlite(?:\+[a-z0-9]+)?|https?):/iu.test(from)) return await openUri(context, from, trackingUri);
  const name = from.startsWith("file:") ? fileURLToPath(from) : from;
  const path = resolve(context.cwd, name);
  const artifacts = options.artifacts === undefined ? undefined : resolve(context.cwd, options.artifacts);
  if (from !== "-") {
    if (kindOf(path, name) === "folder") {
      const { openFileStore } = await import("../transfer/file-store-source.ts");
      return openFileStore(kindOf(join(path, "mlruns")) === "folder" ? join(path, "mlruns") : path, openFolder);
    }
    if (isSqlite(path)) return await openUri(context, `sqlite:///${path}`, trackingUri);
  }
  const { openNdjson } = await import("../transfer/ndjson-source.ts");
  return openNdjson({
    name,
    path,
    stdin: () => context.stdin(),
    openFolder,
    ...(artifacts !== undefined && { artifacts }),
  });
}

async function openUri(context: Context, from: string, trackingUri: string): Promise<ImportSource> {
  const uri = resolveTrackingUri(from, {}, context.cwd);
  if (uri === trackingUri) {
    throw new UsageError(`the runs are there already: ${from}`, { hint: "--tracking-uri names where they should go" });
  }
  const { openStoreSource } = await import("../transfer/store-source.ts");
  return openStoreSource(await context.openStore("read", uri), (artifactUri) =>
    context.openArtifacts(artifactUri, uri),
  );
}

function kindOf(path: string, name?: string): "file" | "folder" | undefined {
  try {
    return statSync(path).isDirectory() ? "folder" : "file";
  } catch (error) {
    if (name === undefined && hasCode(error, "ENOENT", "ENOTDIR")) return undefined;
    const hint = "it takes what `track export` wrote, a folder `mlruns`, or a tracking URI";
    throw new TrackError(`cannot read ${name ?? path}: ${messageOf(error)}`, { hint, cause: error });
  }
}

function isSqlite(path: string): boolean {
  const start = Buffer.alloc(15);
  const fd = openSync(path, "r");
  try {
    // A pipe has no beginning to look at: nothing may be taken from it here.
    if (!statSync(path).isFile()) return false;
    readSync(fd, start, 0, start.length, 0);
    return start.toString("latin1") === "SQLite format 3";
  } finally {
    closeSync(fd);
  }
}

function tell(context: Context, options: ImportOptions, imported: readonly ImportedRun[]): void {
  const count = (result: ImportedRun["result"]): number => imported.filter((run) => run.result === result).length;
  for (const { sourceRunId, reason } of imported) {
    if (reason !== undefined) context.io.say(`not imported: ${sourceRunId}: ${reason}`);
  }
  context.io.say(`imported: ${count("new")} new, ${count("known")} there before, ${count("skipped")} skipped`);
  if (options.json !== true) return;
  writeJson(context.io, {
    runs: imported.map(({ sourceRunId, runId, result, reason }) => ({
      source_run_id: sourceRunId,
      ...(runId !== undefined && { run_id: runId }),
      result,
      ...(reason !== undefined && { reason }),
    })),
  });
}
