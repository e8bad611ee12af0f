import type { Run } from "../../entities/run.ts";
import type { TrackingStore } from "../../store/tracking-store.ts";
import { readPlace } from "../../util/proc.ts";
import { readHeartbeat, readRunProcesses, runLiveness } from "../../wire/run-processes.ts";
import type { Context } from "../context.ts";
import { endLostRuns } from "../end-lost-runs.ts";
import { listExperiments } from "../find-experiment.ts";
import { formatDuration } from "../format-time.ts";
import { isAliveHere } from "../run-liveness.ts";
import { type Check, unwell, well } from "./check.ts";
import { few } from "./journal-checks.ts";

/** A heartbeat comes every 30 s; a machine that slept a while must not lose its runs. */
export const staleAfterMs = 600_000;

export interface StaleRuns {
  /** Nothing will end them any more, as far as can be told: their heartbeat is old, or their processes are gone. */
  readonly stale: readonly Run[];
  /** RUNNING without any sign that could be judged, such as runs of plain MLflow's. */
  readonly unknown: readonly Run[];
}

/** Looks at every run that is RUNNING, `staleMs`: how old a heartbeat may be; `endsLost`: ends those that are certainly lost, as `ls` does. */
export async function findStaleRuns(
  context: Context,
  store: TrackingStore,
  options: { readonly uriOption: string | undefined; readonly staleMs: number; readonly endsLost?: boolean },
): Promise<StaleRuns> {
  const stale: Run[] = [];
  const unknown: Run[] = [];
  const here = readPlace();
  const running = await findRunning(store);
  const runs = options.endsLost === true ? await endLostRuns(context, running, options.uriOption) : running;
  const trackingUri = context.trackingUri(options.uriOption);
  for (const run of runs) {
    if (run.info.status !== "RUNNING") continue;
    if (isAliveHere(context, run, trackingUri)) continue;
    const heartbeat = readHeartbeat(run);
    if (runLiveness(run, here) === "dead") stale.push(run);
    else if (heartbeat === undefined) unknown.push(run);
    else if (context.now() - heartbeat >= options.staleMs) stale.push(run);
  }
  return { stale, unknown };
}

export function checkStaleRuns({ stale, unknown }: StaleRuns, now: number): Check {
  if (stale.length > 0) {
    const runs = stale.map((run) => describeStale(run, now));
    return unwell("stale runs", `${stale.length}: ${few(runs)}`, "track doctor --stale ends them");
  }
  if (unknown.length === 0) return well("stale runs", "none");
  const ids = few(unknown.map(({ info }) => info.runId.slice(0, 8)));
  return well("stale runs", `none; RUNNING without a heartbeat, so not to be judged (track end <run>): ${ids}`);
}

/** `3f1c9a2e on node7, last heard of 3h00m ago`. */
export function describeStale(run: Run, now: number): string {
  const heartbeat = readHeartbeat(run);
  const heard =
    heartbeat === undefined ? "its processes are gone" : `last heard of ${formatDuration(now - heartbeat)} ago`;
  return `${run.info.runId.slice(0, 8)} on ${readRunProcesses(run)?.host ?? "an unknown host"}, ${heard}`;
}

async function findRunning(store: TrackingStore): Promise<readonly Run[]> {
  const experimentIds = (await listExperiments(store, "ACTIVE_ONLY")).map(({ experimentId }) => experimentId);
  const runs: Run[] = [];
  let pageToken: string | undefined;
  if (experimentIds.length === 0) return runs;
  do {
    const page = await store.searchRuns({
      experimentIds,
      filter: "attributes.status = 'RUNNING'",
      maxResults: 1000,
      ...(pageToken !== undefined && { pageToken }),
    });
    runs.push(...page.items);
    pageToken = page.nextPageToken;
  } while (pageToken !== undefined);
  return runs;
}
