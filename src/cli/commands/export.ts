import { join, resolve } from "node:path";
import type { LoggedModel } from "../../entities/logged-model.ts";
import type { Run } from "../../entities/run.ts";
import type { Context } from "../context.ts";
import { openExisting } from "../open-for-reading.ts";
import { readRun, walkArtifacts } from "../transfer/read-run.ts";
import { encodeRecord, type TransferRecord } from "../transfer/transfer-record.ts";
import { findRun, findRuns } from "../find-run.ts";

export interface ExportOptions {
  /** Folder that the artifacts are copied into. */
  readonly artifacts?: string;
  readonly listArtifacts?: boolean;
  readonly trackingUri?: string;
}

/** Writes everything of the runs to stdout as NDJSON; `track import` reads it. Finds all of them first. */
export async function exportRuns(context: Context, options: ExportOptions, names: readonly string[]): Promise<void> {
  await using store = await openExisting(context, "read", options.trackingUri);
  for (const run of await findRuns(names, (name) => findRun(store, name))) {
    const experiment = await store.getExperiment(run.info.experimentId);
    for await (const record of readRun(store, run, experiment)) {
      if (record.type === "model") await copyModel(context, options, record.model);
      if (record.type === "end") await exportArtifacts(context, options, run);
      write(context, record);
    }
  }
}

async function exportArtifacts(context: Context, options: ExportOptions, run: Run): Promise<void> {
  const { runId, artifactUri } = run.info;
  if (options.listArtifacts !== true && options.artifacts === undefined) return;
  const repository = await context.openArtifacts(artifactUri, options.trackingUri);
  for await (const { path, size } of walkArtifacts(repository)) {
    if (options.artifacts !== undefined) {
      await repository.downloadArtifact(path, join(resolve(context.cwd, options.artifacts), runId, path));
    }
    write(context, { type: "artifact", runId, path, ...(size !== undefined && { size }) });
  }
}

/** The files of a model lie beside the runs, not in them. */
async function copyModel(context: Context, options: ExportOptions, model: LoggedModel): Promise<void> {
  if (options.artifacts === undefined) return;
  const repository = await context.openArtifacts(model.artifactLocation, options.trackingUri);
  for await (const { path } of walkArtifacts(repository)) {
    const target = join(resolve(context.cwd, options.artifacts), "models", model.modelId, path);
    await repository.downloadArtifact(path, target);
  }
}

function write(context: Context, record: TransferRecord): void {
  context.io.out(`${encodeRecord(record)}\n`);
}
