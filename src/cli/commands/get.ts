import type { Metric } from "../../entities/metric.ts";
import type { Param } from "../../entities/param.ts";
import type { Run } from "../../entities/run.ts";
import { TrackError } from "../../errors.ts";
import { metricToJson, pairToJson } from "../../wire/rest-json.ts";
import type { Context } from "../context.ts";
import { findRun } from "../find-run.ts";
import { openExisting } from "../open-for-reading.ts";
import { writeJson } from "../write-json.ts";

export type ValueKind = "metric" | "param" | "tag";

export interface GetOptions {
  readonly json?: boolean;
  readonly trackingUri?: string;
}

export interface ValueRequest {
  readonly kind: ValueKind;
  readonly run: string;
  readonly key: string;
}

const shownKeys = 5;

/** Prints one value as it is stored, with all its digits. `TrackError` where the run has none of that key. */
export async function get(context: Context, options: GetOptions, request: ValueRequest): Promise<void> {
  await using store = await openExisting(context, "read", options.trackingUri);
  const run = await findRun(store, request.run);
  const items: readonly (Metric | Param)[] = run.data[`${request.kind}s`];
  const found = items.find((item) => item.key === request.key);
  if (found === undefined) throw noValue(run, request, items);
  if (options.json === true) writeJson(context.io, isMetric(found) ? metricToJson(found) : pairToJson(found));
  else context.io.out(`${found.value}\n`);
}

function isMetric(item: Metric | Param): item is Metric {
  return "step" in item;
}

function noValue({ info }: Run, { kind, key }: ValueRequest, items: readonly { readonly key: string }[]): TrackError {
  const keys = items.map((item) => item.key);
  const lower = key.toLowerCase();
  const near = keys.filter((one) => one.toLowerCase().includes(lower) || lower.includes(one.toLowerCase()));
  const shown = (near.length > 0 ? near : keys.filter((one) => !/^(?:system\/|mlflow\.|track\.)/u.test(one))).slice(
    0,
    shownKeys,
  );
  const hint = shown.length === 0 ? `track show ${info.runId.slice(0, 8)}` : `it has ${shown.join(", ")}`;
  return new TrackError(`run ${info.runId.slice(0, 8)} has no ${kind} ${key}`, { hint });
}
