import type { Metric } from "../../entities/metric.ts";
import { invalidParameter } from "../../errors.ts";
import { metricToJson, numberToJson } from "../../wire/rest-json.ts";
import { listField } from "../../wire/rest-json-values.ts";
import { answerText } from "../answer.ts";
import * as fields from "../message-fields.ts";
import type { MessageRoutes, StreamRoute } from "../route.ts";
import { sampleEvenly } from "../sample-evenly.ts";

const maxRunsInBulk = 100;
const maxPointsInBulk = 25_000;
const maxPointsPerRun = 2500;

export const metricHistoryRoutes: MessageRoutes = {
  "GET /metrics/get-history": async (message, { stores }) => {
    const runId = fields.requiredRunId(message);
    const maxResults = fields.optionalInteger(message, "max_results");
    const page = await stores.tracking.getMetricHistory(runId, fields.requiredText(message, "metric_key"), {
      ...(maxResults !== undefined && { maxResults }),
      ...fields.textEntry(message, "page_token", "pageToken"),
    });
    return {
      ...listField("metrics", page.items, metricToJson),
      ...(page.nextPageToken !== undefined && { next_page_token: page.nextPageToken }),
    };
  },
  "GET /metrics/get-history-bulk-interval": async (message, { stores }) => {
    const runIds = fields.texts(message, "run_ids");
    if (runIds.length === 0) throw fields.missing("run_ids");
    checkRunCount("GetMetricHistoryBulkInterval request must specify at most", runIds.length);
    const key = fields.requiredText(message, "metric_key");
    const maxResults = fields.optionalInteger(message, "max_results") ?? maxPointsPerRun;
    if (maxResults < 1 || maxResults > maxPointsPerRun) {
      throw invalidParameter(`max_results must be between 1 and ${maxPointsPerRun}.`);
    }
    const range = readRange(fields.optionalInteger(message, "start_step"), fields.optionalInteger(message, "end_step"));
    const metrics: (Metric & { readonly runId: string })[] = [];
    for (const runId of runIds) {
      const { items } = await stores.tracking.getMetricHistory(runId, key);
      const wanted = items.filter(({ step }) => step >= range.start && step <= range.end).toSorted(byStep);
      metrics.push(...sampleEvenly(wanted, maxResults).map((metric) => ({ ...metric, runId })));
    }
    return listField("metrics", metrics, ({ runId, value, timestamp, step }) => ({
      key,
      value: numberToJson(value),
      timestamp,
      step,
      run_id: runId,
    }));
  },
};

/** Only below `/ajax-api/2.0/mlflow`. As MLflow, it writes a bare NaN, which is no JSON for everyone. */
export const bulkHistory: StreamRoute = async (request, response, { stores, query }) => {
  request.resume();
  const runIds = query.getAll("run_id");
  if (runIds.length === 0) throw invalidParameter("GetMetricHistoryBulk request must specify at least one run_id.");
  checkRunCount("GetMetricHistoryBulk request cannot specify more than", runIds.length);
  const key = query.get("metric_key");
  if (key === null) throw invalidParameter("GetMetricHistoryBulk request must specify a metric_key.");
  const given = fields.optionalInteger({ max_results: query.get("max_results") }, "max_results");
  const maxResults = Math.min(given ?? maxPointsInBulk, maxPointsInBulk);
  const points: string[] = [];
  for (const runId of [...new Set(runIds)].toSorted()) {
    if (points.length >= maxResults) break;
    const { items } = await stores.tracking.getMetricHistory(runId, key, { maxResults: maxResults - points.length });
    for (const { value, timestamp, step } of items) {
      const [name, run] = [JSON.stringify(key), JSON.stringify(runId)];
      points.push(`{"key":${name},"value":${value},"timestamp":${timestamp},"step":${step},"run_id":${run}}`);
    }
  }
  answerText(response, 200, "application/json", `{"metrics":[${points.join(",")}]}`);
};

function checkRunCount(message: string, count: number): void {
  if (count > maxRunsInBulk) throw invalidParameter(`${message} ${maxRunsInBulk} run_ids. Received ${count} run_ids.`);
}

function readRange(start: number | undefined, end: number | undefined) {
  if ((start === undefined) !== (end === undefined)) {
    throw invalidParameter("If either start step or end step are specified, both must be specified.");
  }
  if (start !== undefined && end !== undefined && start > end) {
    throw invalidParameter(`end_step must be greater than start_step. Found start_step=${start} and end_step=${end}.`);
  }
  return { start: start ?? -Infinity, end: end ?? Infinity };
}

function byStep(a: Metric, b: Metric): number {
  return a.step - b.step || a.timestamp - b.timestamp || storedValue(a) - storedValue(b);
}

function storedValue({ value }: Metric): number {
  return Number.isNaN(value) ? 0 : value;
}
