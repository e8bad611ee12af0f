import type { Param } from "../../entities/param.ts";
import {
  checkKey,
  checkMetricNumbers,
  checkParam,
  checkRunTag,
  truncateParamValue,
  truncateTagValue,
} from "../../entities/validation.ts";
import { invalidParameter } from "../../errors.ts";
import type { LogBatchRequest } from "../../store/tracking-store.ts";
import type { KnownRun } from "./known-run.ts";

/** MLflow's rules for names and numbers; values that are too long are cut later. */
export function checkBatch({ metrics = [], params = [], tags = [] }: LogBatchRequest): void {
  const checkedKeys = new Set<string>();
  for (const metric of metrics) {
    if (!checkedKeys.has(metric.key)) checkKey("metric", metric.key);
    checkedKeys.add(metric.key);
    checkMetricNumbers(metric);
  }
  for (const { key, value } of params) checkParam({ key, value: truncateParamValue(value).value });
  for (const { key, value } of tags) checkRunTag({ key, value: truncateTagValue(value).value });
}

/** As MLflow does with `MLFLOW_TRUNCATE_LONG_VALUES`, its default. */
export function withCutValues({ metrics = [], params = [], tags = [] }: LogBatchRequest): LogBatchRequest {
  return {
    metrics,
    params: params.map(({ key, value }) => ({ key, value: truncateParamValue(value).value })),
    tags: tags.map(({ key, value }) => ({ key, value: truncateTagValue(value).value })),
  };
}

/** Params are written once; nothing of the batch is written where one would change. */
export function refuseChangedParams({ info, params }: KnownRun, said: readonly Param[]): void {
  for (const { key, value } of said) {
    const present = params.get(key);
    if (present === undefined || present === value) continue;
    throw invalidParameter(
      `Changing param values is not allowed. Param with key='${key}' was already logged with value='${present}' ` +
        `for run ID='${info.runId}'. Attempted logging new value '${value}'.`,
    );
  }
}
