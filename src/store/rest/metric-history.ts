import type { Metric } from "../../entities/metric.ts";
import { invalidParameter } from "../../errors.ts";
import { metricFromJson } from "../../wire/rest-json-read.ts";
import type { Page } from "../tracking-store.ts";
import type { RestApi } from "./rest-api.ts";
import { readAllPages, readPage } from "./search-page.ts";

export interface HistoryQuery {
  readonly runId: string;
  readonly key: string;
  /** Absent: everything. */
  readonly maxResults?: number;
  readonly pageToken?: string;
}

/** MLflow's client asks for as many. Servers up to 3.13 answer nothing but an endless page token where it is left out. */
const pageSize = 25_000;

export async function readMetricHistory(api: RestApi, query: HistoryQuery): Promise<Page<Metric>> {
  const { maxResults, pageToken } = query;
  // Older servers take 0 for a page that never ends.
  if (maxResults !== undefined && maxResults < 1) {
    throw invalidParameter(`Invalid value ${maxResults} for parameter 'max_results': it must be above 0`);
  }
  if (maxResults !== undefined || (pageToken ?? "") !== "") return await readOnePage(api, query);
  return {
    items: await readAllPages((token) =>
      readOnePage(api, { ...query, ...(token !== undefined && { pageToken: token }) }),
    ),
  };
}

async function readOnePage(api: RestApi, { runId, key, maxResults, pageToken }: HistoryQuery): Promise<Page<Metric>> {
  const answer = await api.get("metrics/get-history", {
    run_id: runId,
    metric_key: key,
    max_results: maxResults ?? pageSize,
    page_token: pageToken === "" ? undefined : pageToken,
  });
  return readPage(answer, "metrics", metricFromJson);
}
