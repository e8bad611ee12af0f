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
        const { openArtifactRepository } = await import("../artifacts/open-artifact-repository.ts");
        await openArtifactRepository(info.artifactUri).logArtifact(localPath, artifactFile);
      },
      [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
    };
  } catch (error) {
    await store[Symbol.asyncDispose]();
    throw error;
  }
}
