import type { LoggedModel } from "../../entities/logged-model.ts";
import type { SearchLoggedModelsQuery } from "../../store/tracking-store.ts";
import { type ModelComparison, parseLoggedModelFilter } from "../../wire/model-search.ts";
import type { EndpointState } from "./endpoint-state.ts";
import { withModel } from "./journaled-models.ts";
import { serverAway } from "./server-away.ts";

/**
 * The command's own models, newest first, while no server can be asked. A filter that needs more than texts of theirs that are
 * equal or not is the server's to answer, and fails.
 */
export async function searchOwnModels(
  state: EndpointState,
  { experimentIds, filter = "", maxResults }: SearchLoggedModelsQuery,
): Promise<readonly LoggedModel[]> {
  const comparisons = parseLoggedModelFilter(filter);
  const found = state.models.all.filter(
    (model) => experimentIds.includes(model.experimentId) && comparisons.every((one) => holds(model, one)),
  );
  const whole = await Promise.all(found.toReversed().map(({ modelId }) => withModel(state, modelId)));
  return whole.slice(0, maxResults ?? whole.length);
}

function holds(model: LoggedModel, { field, condition }: ModelComparison): boolean {
  const value = textOf(model, field);
  if (condition.kind === "text" && condition.operator === "=") return value === condition.value;
  if (condition.kind === "text" && condition.operator === "!=") return value !== undefined && value !== condition.value;
  if (condition.kind === "list" && condition.operator === "IN")
    return value !== undefined && condition.values.includes(value);
  throw serverAway("a search that it alone can do");
}

function textOf(model: LoggedModel, { entity, key }: ModelComparison["field"]): string | undefined {
  if (entity === "param") return model.params.find((param) => param.key === key)?.value;
  if (entity === "tag") return model.tags.find((tag) => tag.key === key)?.value;
  const texts: Readonly<Record<string, string | undefined>> = {
    model_id: model.modelId,
    experiment_id: model.experimentId,
    name: model.name,
    model_type: model.modelType,
    source_run_id: model.sourceRunId,
  };
  if (entity === "attribute" && key in texts) return texts[key];
  throw serverAway("a search that it alone can do");
}
