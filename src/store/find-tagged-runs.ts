import type { Run } from "../entities/run.ts";
import type { TrackingStore } from "./tracking-store.ts";

/**
 * Active runs with this tag, newest first, at most 200: in one experiment, or in all active ones. `value` holds no quotes.
 */
export async function findTaggedRuns(
  store: TrackingStore,
  tag: { readonly key: string; readonly value: string },
  experimentId?: string,
): Promise<readonly Run[]> {
  const experimentIds = experimentId === undefined ? await activeExperimentIds(store) : [experimentId];
  if (experimentIds.length === 0) return [];
  const page = await store.searchRuns({
    experimentIds,
    filter: `tags.\`${tag.key}\` = '${tag.value}'`,
    orderBy: ["attributes.start_time DESC"],
    maxResults: 200,
  });
  return page.items;
}

/** Over all pages. */
export async function activeExperimentIds(store: TrackingStore): Promise<readonly string[]> {
  const ids: string[] = [];
  let pageToken: string | undefined;
  do {
    const page = await store.searchExperiments({ maxResults: 10_000, ...(pageToken !== undefined && { pageToken }) });
    ids.push(...page.items.map(({ experimentId }) => experimentId));
    pageToken = page.nextPageToken;
  } while (pageToken !== undefined);
  return ids;
}
