import { runStatuses } from "../../entities/run-status.ts";
import type { Run } from "../../entities/run.ts";
import { mlflowTags } from "../../entities/tag-keys.ts";
import { StoreError } from "../../errors.ts";
import { randomRunName } from "../../util/run-names.ts";
import { type JsonObject, runInfoToJson, runToJson } from "../../wire/rest-json.ts";
import { listField } from "../../wire/rest-json-values.ts";
import * as fields from "../message-fields.ts";
import type { MessageRoutes } from "../route.ts";
import { viewTypes } from "./experiments.ts";

export const runRoutes: MessageRoutes = {
  "POST /runs/create": async (message, { stores }) => {
    const tags = fields.pairs(message, "tags");
    const named = fields.text(message, "run_name");
    const isNamed = named !== "" || tags.some(({ key, value }) => key === mlflowTags.runName && value !== "");
    const experimentId = fields.text(message, "experiment_id");
    if (experimentId === "") throw new StoreError("BAD_REQUEST", "A run needs an experiment: experiment_id is missing");
    const run = await stores.tracking.createRun({
      experimentId,
      userId: fields.text(message, "user_id"),
      startTime: fields.optionalInteger(message, "start_time") ?? 0,
      runName: isNamed ? named : randomRunName(),
      ...(!isNamed && { isNameMinted: true }),
      tags,
    });
    const { outputs: _, ...created } = runToJson(run);
    return { run: created };
  },
  "POST /runs/update": async (message, { stores }) => {
    const status = fields.enumName(message, "status", runStatuses);
    const endTime = fields.optionalInteger(message, "end_time");
    const info = await stores.tracking.updateRun(fields.requiredRunId(message), {
      ...(status !== undefined && { status }),
      ...(endTime !== undefined && { endTime }),
      ...fields.textEntry(message, "run_name", "runName"),
    });
    return { run_info: runInfoToJson(info) };
  },
  "GET /runs/get": async (message, { stores }) => ({
    run: runToJson(await stores.tracking.getRun(fields.requiredRunId(message))),
  }),
  "POST /runs/delete": (message, { stores }) => stores.tracking.deleteRun(fields.requiredText(message, "run_id")),
  "POST /runs/restore": (message, { stores }) => stores.tracking.restoreRun(fields.requiredText(message, "run_id")),
  "POST /runs/search": async (message, { stores }) => {
    const viewType = fields.enumName(message, "run_view_type", viewTypes);
    const maxResults = fields.optionalInteger(message, "max_results");
    const page = await stores.tracking.searchRuns({
      experimentIds: fields.texts(message, "experiment_ids"),
      ...(viewType !== undefined && { viewType }),
      filter: fields.text(message, "filter"),
      orderBy: fields.texts(message, "order_by"),
      ...(maxResults !== undefined && { maxResults }),
      pageToken: fields.text(message, "page_token"),
    });
    return {
      ...listField("runs", page.items, foundRunToJson),
      ...(page.nextPageToken !== undefined && { next_page_token: page.nextPageToken }),
    };
  },
  "POST /runs/set-tag": (message, { stores }) => {
    const tag = { key: fields.requiredText(message, "key"), value: fields.text(message, "value") };
    return stores.tracking.logBatch(fields.requiredRunId(message), { tags: [tag] });
  },
  "POST /runs/delete-tag": (message, { stores }) =>
    stores.tracking.deleteTag(fields.requiredText(message, "run_id"), fields.requiredText(message, "key")),
  "POST /runs/log-parameter": (message, { stores }) => {
    const param = { key: fields.requiredText(message, "key"), value: fields.text(message, "value") };
    return stores.tracking.logBatch(fields.requiredRunId(message), { params: [param] });
  },
};

/** MLflow's search leaves the models that a run used out. */
function foundRunToJson(run: Run): JsonObject {
  return runToJson(run.inputs.modelIds.length === 0 ? run : { ...run, inputs: { ...run.inputs, modelIds: [] } });
}
