import type { Run } from "../entities/run.ts";
import { mlflowTags } from "../entities/tag-keys.ts";
import type { TrackingStore } from "../store/tracking-store.ts";
import { listExperiments } from "./find-experiment.ts";
import { formatDuration } from "./format-time.ts";
import { dataColumn, statusStyle, usualKeys } from "./run-columns.ts";
import type { Column } from "./table.ts";

/** Children of a run; with `sortKey` the best first, those without the metric last, else in the order of their start. */
export interface RunChildren {
  readonly runs: readonly Run[];
  readonly hasMore: boolean;
  readonly sortKey?: string;
}

export interface ChildrenQuery {
  readonly limit: number;
  /** Key of a metric. */
  readonly sortKey?: string;
  /** Which way is better; absent: judged by the metric's name. */
  readonly isDescending?: boolean;
}

/** What is better the higher it is; of all else, losses, errors and times above all, less is more. */
const higherIsBetter =
  /(?:^|[^a-z])(?:acc|accuracy|top\d?|f1|auc|auroc|ap|map\d*|precision|recall|score|reward|return|bleu|rouge|iou|miou|dice|psnr|ssim|r2|success|win|throughput|speed|correlation)(?:$|[^a-z])|_per_s(?:ec|econd)?$/u;

/** Whether the best value of a metric is its highest, as far as its name tells. */
export function isHighestBest(key: string): boolean {
  return higherIsBetter.test(key.toLowerCase());
}

/** Children in every experiment, deleted ones left out. */
export async function readChildren(store: TrackingStore, run: Run, query: ChildrenQuery): Promise<RunChildren> {
  const { sortKey, limit } = query;
  const experiments = await listExperiments(store, "ACTIVE_ONLY");
  const ids = new Set([...experiments.map((one) => one.experimentId), run.info.experimentId]);
  const direction = (query.isDescending ?? isHighestBest(sortKey ?? "")) ? "DESC" : "ASC";
  const page = await store.searchRuns({
    experimentIds: [...ids],
    filter: `tags.\`${mlflowTags.parentRunId}\` = '${run.info.runId}'`,
    orderBy: [...(sortKey === undefined ? [] : [`metrics.\`${sortKey}\` ${direction}`]), "attributes.start_time ASC"],
    maxResults: limit,
  });
  return { runs: page.items, hasMore: page.nextPageToken !== undefined, ...(sortKey !== undefined && { sortKey }) };
}

/** A table of children: what they were sorted by, their other metrics, and the params in which they differ. */
export function childColumns(now: number, { runs, sortKey }: RunChildren): readonly Column<Run>[] {
  const keys = usualKeys(runs);
  const others = keys.metrics.filter((key) => key !== sortKey);
  return [
    { title: "  RUN", cell: (run) => `  ${run.info.runId.slice(0, 8)}` },
    { title: "NAME", cell: (run) => run.info.runName, minWidth: 8, dropOrder: 15 },
    { title: "STATUS", cell: (run) => run.info.status, style: (run) => statusStyle(run.info.status) },
    { title: "DURATION", cell: (run) => durationOf(run, now), isRight: true, dropOrder: 30 },
    ...(sortKey === undefined ? [] : [dataColumn("metrics", sortKey)]),
    ...keys.params.map((key, index) => ({ ...dataColumn("params", key), dropOrder: 10 + index })),
    ...others.map((key, index) => ({ ...dataColumn("metrics", key), dropOrder: 20 + index })),
  ];
}

function durationOf({ info }: Run, now: number): string {
  const end = info.endTime ?? (info.status === "RUNNING" ? now : undefined);
  return end === undefined ? "" : formatDuration(end - info.startTime);
}
