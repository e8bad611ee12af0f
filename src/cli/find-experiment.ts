import type { Experiment } from "../entities/experiment.ts";
import type { ViewType } from "../entities/lifecycle-stage.ts";
import { StoreError, TrackError } from "../errors.ts";
import type { ExperimentStore } from "../store/tracking-store.ts";

/** The experiment of this name, else of this id, deleted ones too. Unknown: `TrackError`. */
export async function findExperiment(store: ExperimentStore, nameOrId: string): Promise<Experiment> {
  const byName = await store.getExperimentByName(nameOrId);
  if (byName !== undefined) return byName;
  try {
    if (/^\d+$/u.test(nameOrId)) return await store.getExperiment(nameOrId);
  } catch (error) {
    if (!(error instanceof StoreError && error.errorCode === "RESOURCE_DOES_NOT_EXIST")) throw error;
  }
  throw new TrackError(`no such experiment: ${nameOrId}`, { hint: "track experiments --all" });
}

/** All experiments of a view, over all pages. */
export async function listExperiments(store: ExperimentStore, viewType: ViewType): Promise<readonly Experiment[]> {
  const experiments: Experiment[] = [];
  let pageToken: string | undefined;
  do {
    const page = await store.searchExperiments({
      viewType,
      maxResults: 50_000,
      ...(pageToken !== undefined && { pageToken }),
    });
    experiments.push(...page.items);
    pageToken = page.nextPageToken;
  } while (pageToken !== undefined);
  return experiments;
}
