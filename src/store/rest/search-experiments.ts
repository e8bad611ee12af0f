import type { Experiment } from "../../entities/experiment.ts";
import { limits } from "../../entities/limits.ts";
import { experimentFromJson } from "../../wire/rest-json-read.ts";
import type { Page, SearchExperimentsQuery } from "../tracking-store.ts";
import type { RestApi } from "./rest-api.ts";
import { readPage } from "./search-page.ts";

export async function searchExperiments(api: RestApi, query: SearchExperimentsQuery): Promise<Page<Experiment>> {
  const answer = await api.post("experiments/search", {
    view_type: query.viewType,
    filter: query.filter,
    order_by: query.orderBy,
    max_results: query.maxResults ?? limits.defaultSearchResults,
    page_token: query.pageToken,
  });
  return readPage(answer, "experiments", experimentFromJson);
}
