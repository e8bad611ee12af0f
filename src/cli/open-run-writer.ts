import { TrackError } from "../errors.ts";
import type { Context } from "./context.ts";
import { findRun } from "./find-run.ts";
import { openExisting } from "./open-for-reading.ts";
import type { RunWriter } from "./run-writer-target.ts";

/** Opens a run's store and artifacts for `track log --run`. A deleted run is refused before anything is written. */
export async function openRunWriter(context: Context, name: string, trackingUri?: string): Promise<RunWriter> {
  const store = await openExisting(context, "write", trackingUri);
  try {
    const { info } = await findRun(store, name);
    if (info.lifecycleStage === "deleted") {
      throw new TrackError(`the run is deleted: ${info.runId}`, { hint: `track restore ${info.runId.slice(0, 8)}` });
    }
    return {
      logBatch: (request) => store.logBatch(info.runId, request),
      logArtifact: async (localPath, artifactFile) => {
        const { showTransfer, sizeOf } = await import("./transfer-progress.ts");
        const { io, now } = context;
        const totalBytes = io.isErrTerminal ? await sizeOf(localPath) : 0;
        using progress = showTransfer(io, { label: artifactFile, totalBytes, now });
        const artifacts = await context.openArtifacts(info.artifactUri, trackingUri, progress.add);
        await artifacts.logArtifact(localPath, artifactFile);
      },
      [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
    };
  } catch (error) {
    await store[Symbol.asyncDispose]();
    throw error;
  }
}
