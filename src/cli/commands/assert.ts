import type { Run } from "../../entities/run.ts";
import { StoreError, UsageError } from "../../errors.ts";
import { parseRunFilter, type RunComparison } from "../../wire/search-filter.ts";
import type { RunField } from "../../wire/search-filter-fields.ts";
import type { Context } from "../context.ts";
import { findRun } from "../find-run.ts";
import { openExisting } from "../open-for-reading.ts";
import { writeJson } from "../write-json.ts";

export interface AssertOptions {
  readonly json?: boolean;
  readonly trackingUri?: string;
}

/**
 * 0 when the run matches the filter, 1 when it does not, which is told with the values it has. A filter that cannot be
 * understood is a `UsageError`: a gate must not take it for an answer.
 */
export async function assertRun(
  context: Context,
  options: AssertOptions,
  filter: string,
  name: string,
): Promise<number> {
  const comparisons = readFilter(filter);
  await using store = await openExisting(context, "read", options.trackingUri);
  const run = await findRun(store, name);
  const { items } = await store.searchRuns({
    experimentIds: [run.info.experimentId],
    // The grammar joins by AND alone, so the two can be put side by side.
    filter: `${filter} AND attributes.run_id = '${run.info.runId}'`,
    viewType: "ALL",
    maxResults: 1,
  });
  const matches = items.length > 0;
  if (options.json === true) writeJson(context.io, { run_id: run.info.runId, matches });
  if (!matches) {
    const fields = new Map(comparisons.map(({ field }) => [`${field.entity} ${field.key}`, field]));
    const values = Array.from(fields, ([shown, field]) => `${shown} is ${valueOf(run, field) ?? "not there"}`);
    context.io.say(`run ${run.info.runId.slice(0, 8)} does not match: ${values.join(", ")}`);
  }
  return matches ? 0 : 1;
}

function readFilter(filter: string): readonly RunComparison[] {
  const hint = `such as "metrics.loss < 0.5 AND params.lr = '0.01'"`;
  try {
    const comparisons = parseRunFilter(filter);
    if (comparisons.length > 0) return comparisons;
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    throw new UsageError(error.message, { hint: error.hint ?? hint, cause: error });
  }
  throw new UsageError("the filter is empty", { hint });
}

function valueOf({ info, data, inputs }: Run, { entity, key }: RunField): string | undefined {
  switch (entity) {
    case "metric":
      return data.metrics.find((metric) => metric.key === key)?.value.toString();
    case "param":
      return data.params.find((param) => param.key === key)?.value;
    case "tag":
      return data.tags.find((tag) => tag.key === key)?.value;
    case "dataset":
      return inputs.datasetInputs.length === 0 ? undefined : "another";
    case "attribute":
      return {
        run_id: info.runId,
        run_name: info.runName,
        user_id: info.userId,
        status: info.status,
        artifact_uri: info.artifactUri,
        start_time: String(info.startTime),
        end_time: info.endTime === undefined ? undefined : String(info.endTime),
      }[key];
  }
}
