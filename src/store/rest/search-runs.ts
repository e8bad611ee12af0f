import { limits } from "../../entities/limits.ts";
import type { Run } from "../../entities/run.ts";
import { runFromJson } from "../../wire/rest-json-read.ts";
import type { Page, SearchRunsQuery } from "../tracking-store.ts";
import type { RestApi } from "./rest-api.ts";
import { readPage } from "./search-page.ts";

export async function searchRuns(api: RestApi, query: SearchRunsQuery): Promise<Page<Run>> {
  const answer = await api.post("runs/search", {
    experiment_ids: query.experimentIds,
    run_view_type: query.viewType,
    filter: query.filter,
    order_by: query.orderBy,
    max_results: query.maxResults ?? limits.defaultSearchResults,
    page_token: query.pageToken,
  });
  return readPage(answer, "runs", runFromJson);
}
