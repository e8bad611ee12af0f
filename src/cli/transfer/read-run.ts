import type { ArtifactFile, ArtifactRepository } from "../../artifacts/artifact-repository.ts";
import type { Experiment } from "../../entities/experiment.ts";
import type { LoggedModel } from "../../entities/logged-model.ts";
import type { Metric } from "../../entities/metric.ts";
import type { Run } from "../../entities/run.ts";
import { StoreError } from "../../errors.ts";
import type { TrackingStore } from "../../store/tracking-store.ts";
import type { TransferRecord } from "./transfer-record.ts";

const pointsPerRead = 10_000;
const pointsPerRecord = 1000;

/** Everything of one run in a store, but for its artifacts, as records; holds no more than a page of its history at a time. */
export async function* readRun(store: TrackingStore, run: Run, experiment: Experiment): AsyncGenerator<TransferRecord> {
  const { runId } = run.info;
  yield { type: "run", run, experiment };
  for (const modelId of modelIdsOf(run)) {
    const model = await findModel(store, modelId);
    if (model !== undefined) yield { type: "model", runId, model };
  }
  let points: Metric[] = [];
  for (const { key } of run.data.metrics) {
    let pageToken: string | undefined;
    do {
      const page = await store.getMetricHistory(runId, key, {
        maxResults: pointsPerRead,
        ...(pageToken !== undefined && { pageToken }),
      });
      points.push(...page.items);
      while (points.length >= pointsPerRecord) {
        yield { type: "metrics", runId, metrics: points.slice(0, pointsPerRecord) };
        points = points.slice(pointsPerRecord);
      }
      pageToken = page.nextPageToken;
    } while (pageToken !== undefined);
  }
  if (points.length > 0) yield { type: "metrics", runId, metrics: points };
  yield { type: "end", runId };
}

/** Models that the run made or used, each once. */
export function modelIdsOf({ inputs, outputs }: Run): ReadonlySet<string> {
  return new Set([...outputs.models.map(({ modelId }) => modelId), ...inputs.modelIds]);
}

/** All files of a repository, folders walked through. */
export async function* walkArtifacts(repository: ArtifactRepository, folder?: string): AsyncGenerator<ArtifactFile> {
  for (const entry of await repository.listArtifacts(folder)) {
    if (entry.isFolder) yield* walkArtifacts(repository, entry.path);
    else yield entry;
  }
}

/** A deleted model, and a server that knows no models, count as none. */
async function findModel(store: TrackingStore, modelId: string): Promise<LoggedModel | undefined> {
  try {
    return await store.getLoggedModel(modelId);
  } catch (error) {
    const isAbsent =
      error instanceof StoreError && ["RESOURCE_DOES_NOT_EXIST", "NOT_IMPLEMENTED"].includes(error.errorCode);
    if (isAbsent) return undefined;
    throw error;
  }
}
