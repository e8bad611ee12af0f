import type { ArtifactRepository } from "../../artifacts/artifact-repository.ts";
import type { TrackingStore } from "../../store/tracking-store.ts";
import { listExperiments } from "../find-experiment.ts";
import type { ImportSource } from "./import-source.ts";
import { readRun } from "./read-run.ts";
import type { TransferRecord } from "./transfer-record.ts";

const runsPerPage = 200;

/** All runs of another tracking store, deleted ones as well, the oldest first: parents come before their children. */
export function openStoreSource(
  store: TrackingStore,
  openArtifacts: (artifactUri: string) => Promise<ArtifactRepository>,
): ImportSource {
  return {
    records: () => readStore(store),
    openRunArtifacts: ({ info }) => openArtifacts(info.artifactUri),
    openModelArtifacts: ({ artifactLocation }) => openArtifacts(artifactLocation),
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  };
}

async function* readStore(store: TrackingStore): AsyncGenerator<TransferRecord> {
  for (const experiment of await listExperiments(store, "ALL")) {
    yield { type: "experiment", experiment };
    let pageToken: string | undefined;
    do {
      const page = await store.searchRuns({
        experimentIds: [experiment.experimentId],
        viewType: "ALL",
        orderBy: ["attributes.start_time ASC"],
        maxResults: runsPerPage,
        ...(pageToken !== undefined && { pageToken }),
      });
      for (const run of page.items) yield* readRun(store, run, experiment);
      pageToken = page.nextPageToken;
    } while (pageToken !== undefined);
  }
}
