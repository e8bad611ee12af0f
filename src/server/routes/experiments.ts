import type { ViewType } from "../../entities/lifecycle-stage.ts";
import type { Experiment } from "../../entities/experiment.ts";
import { doesNotExist, invalidParameter } from "../../errors.ts";
import { hasDatasetSearch } from "../../store/tracking-store.ts";
import { experimentToJson, type JsonObject } from "../../wire/rest-json.ts";
import { listField } from "../../wire/rest-json-values.ts";
import * as fields from "../message-fields.ts";
import type { MessageRoutes } from "../route.ts";

const maxSearchedExperiments = 20;
export const viewTypes: readonly ViewType[] = ["ACTIVE_ONLY", "DELETED_ONLY", "ALL"];

export const experimentRoutes: MessageRoutes = {
  "POST /experiments/create": async (message, { stores }) => {
    const request = {
      name: fields.requiredText(message, "name"),
      ...fields.textEntry(message, "artifact_location", "artifactLocation"),
      tags: fields.pairs(message, "tags"),
    };
    return { experiment_id: await stores.tracking.createExperiment(request) };
  },
  "GET /experiments/get": async (message, { stores }) =>
    answerWith(await stores.tracking.getExperiment(fields.requiredText(message, "experiment_id"))),
  "GET /experiments/get-by-name": async (message, { stores }) => {
    const name = fields.requiredText(message, "experiment_name");
    const experiment = await stores.tracking.getExperimentByName(name);
    if (experiment === undefined) throw doesNotExist(`Could not find experiment with name '${name}'`);
    return answerWith(experiment);
  },
  "GET,POST /experiments/search": async (message, { stores }) => {
    const viewType = fields.enumName(message, "view_type", viewTypes);
    const page = await stores.tracking.searchExperiments({
      ...(viewType !== undefined && { viewType }),
      filter: fields.text(message, "filter"),
      orderBy: fields.texts(message, "order_by"),
      // MLflow's server knows no default here.
      maxResults: fields.optionalInteger(message, "max_results") ?? 0,
      pageToken: fields.text(message, "page_token"),
    });
    return {
      ...listField("experiments", page.items, served),
      ...(page.nextPageToken !== undefined && { next_page_token: page.nextPageToken }),
    };
  },
  "POST /experiments/update": (message, { stores }) => {
    const experimentId = fields.requiredText(message, "experiment_id");
    return stores.tracking.renameExperiment(experimentId, fields.requiredText(message, "new_name"));
  },
  "POST /experiments/delete": (message, { stores }) =>
    stores.tracking.deleteExperiment(fields.requiredText(message, "experiment_id")),
  "POST /experiments/restore": (message, { stores }) =>
    stores.tracking.restoreExperiment(fields.requiredText(message, "experiment_id")),
  "POST /experiments/set-experiment-tag": (message, { stores }) => {
    const experimentId = fields.requiredText(message, "experiment_id");
    const tag = { key: fields.requiredText(message, "key"), value: fields.text(message, "value") };
    return stores.tracking.setExperimentTag(experimentId, tag);
  },
  "POST /experiments/delete-experiment-tag": (message, { stores }) => {
    const experimentId = fields.requiredText(message, "experiment_id");
    return stores.tracking.deleteExperimentTag(experimentId, fields.requiredText(message, "key"));
  },
};

/** Only below `/ajax-api/2.0/mlflow`. */
export const experimentPageRoutes: MessageRoutes = {
  "POST /experiments/search-datasets": async (message, { stores }) => {
    const experimentIds = fields.texts(message, "experiment_ids");
    if (experimentIds.length === 0) {
      throw invalidParameter("SearchDatasets request must specify at least one experiment_id.");
    }
    if (experimentIds.length > maxSearchedExperiments) {
      throw invalidParameter(
        `SearchDatasets request cannot specify more than ${maxSearchedExperiments} experiment_ids. ` +
          `Received ${experimentIds.length} experiment_ids.`,
      );
    }
    if (!hasDatasetSearch(stores.tracking)) return;
    const summaries = await stores.tracking.searchDatasets(experimentIds);
    return listField("dataset_summaries", summaries, ({ experimentId, name, digest, context }) => ({
      experiment_id: experimentId,
      name,
      digest,
      ...(context !== undefined && { context }),
    }));
  },
};

function answerWith(experiment: Experiment): JsonObject {
  return { experiment: served(experiment) };
}

/** The newest servers name the workspace, and there is only one here. */
function served(experiment: Experiment): JsonObject {
  return { ...experimentToJson(experiment), workspace: "default" };
}
