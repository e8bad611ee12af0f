import { setTimeout as sleep } from "node:timers/promises";
import type { Run } from "../../entities/run.ts";
import { trackTags } from "../../entities/tag-keys.ts";
import { StoreError, UsageError } from "../../errors.ts";
import { findTaggedRuns } from "../../store/find-tagged-runs.ts";
import { findGroupRun } from "../../store/find-group-run.ts";
import { openTrackingStore } from "../../store/open-store.ts";
import type { TrackingStore } from "../../store/tracking-store.ts";
import type { Cluster, RankPlace, ResumeKey } from "../../settings/cluster.ts";
import type { RunSettings } from "../../settings/run-settings.ts";
import { isServerUri } from "../../settings/tracking-uri.ts";
import { monotonicMs } from "../../util/monotonic.ts";
import { readPlace } from "../../util/proc.ts";
import { readHeartbeat, readRunProcesses, runLiveness, tagOf } from "../../wire/run-processes.ts";
import { type Preflight, preflight, type PreflightRequest, serverWaitMs, withExperiment } from "./preflight.ts";
import { preflightNow } from "./preflight-now.ts";

export interface ClusterPreflightRequest extends PreflightRequest {
  readonly cluster: Cluster;
  /** Secrets masked. */
  readonly command: readonly string[];
  /** Whether a process of the run is known to live on this host. */
  isAlive(run: Run): boolean;
  /** One line for the user. */
  say(text: string): void;
  now(): number;
}

/** How long a rank that is not the first may wait for its run before its command starts. */
const joinWaitMs = 2000;
const joinPollMs = 100;
/** Two heartbeats and a half: a run on another host that is silent for so long is taken for dead. */
const silentMs = 75_000;
const heartbeatPollMs = 1000;

/**
 * The preflight of a start that a scheduler has made or that has a resume key: finds the run to go on with, or the one that the
 * first rank has made. Throws exit code 125 for a mistake, and where the run of a given key is alive.
 */
export async function clusterPreflight(request: ClusterPreflightRequest): Promise<Preflight> {
  const { resumeKey, rank } = request.cluster;
  const base = preflightNow(request) ?? (await preflight(request));
  if (rank !== undefined && rank.index > 0) return { ...base, ...(await findJoined(base, request, rank)) };
  const mayExist = resumeKey !== undefined && (resumeKey.isGiven || resumeKey.restart > 0);
  return mayExist && base.run === undefined ? await findContinued(base, request, resumeKey) : base;
}

async function findContinued(base: Preflight, request: ClusterPreflightRequest, key: ResumeKey): Promise<Preflight> {
  try {
    if (base.fault !== undefined) throw new StoreError("TEMPORARILY_UNAVAILABLE", base.fault);
    await using store = await openForLookup(request);
    if (store === undefined) return base;
    const run = await choose(store, request, key);
    return run === undefined ? base : { ...base, ...(await withExperiment(store, run)) };
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    if (request.settings.strict) {
      throw new UsageError(`the run of this resume key cannot be looked up: ${error.message}`, {
        exitCode: 125,
        hint: "mend it, or leave out --strict",
        cause: error,
      });
    }
    request.say("whether there is a run to go on with cannot be looked up: it is recorded as a new one");
    return base;
  }
}

async function choose(
  store: TrackingStore,
  request: ClusterPreflightRequest,
  key: ResumeKey,
): Promise<Run | undefined> {
  const found = await findTaggedRuns(store, { key: trackTags.resumeKey, value: key.hash });
  if (key.isGiven) {
    const [run] = found;
    if (run !== undefined) await refuseLive(store, request, run);
    return run;
  }
  // What one batch script starts again and again with the same words goes on in the order of its first starts.
  const waiting = found.filter((run) => (Number(tagOf(run, trackTags.resumeRestart)) || 0) < key.restart);
  const oldest = waiting.findLast((run) => !request.isAlive(run));
  if (oldest === undefined && waiting.length > 0) {
    request.say(`the run of this job (${shortId(waiting[0])}) is alive: it is recorded as a new one`);
  }
  return oldest;
}

/** A run elsewhere is watched until it would have been heard of: nothing else tells a live one from a dead one. */
async function refuseLive(store: TrackingStore, request: ClusterPreflightRequest, run: Run): Promise<void> {
  if (run.info.status !== "RUNNING") return;
  if (request.isAlive(run)) throw alive(run);
  const heartbeat = readHeartbeat(run);
  if (heartbeat === undefined || runLiveness(run, readPlace()) === "dead") return;
  const waitMs = silentMs - Math.max(0, request.now() - heartbeat);
  if (waitMs <= 0) return;
  const host = readRunProcesses(run)?.host ?? "another host";
  request.say(
    `the run of this resume key (${shortId(run)}) was alive on ${host} a moment ago: waiting ${Math.ceil(waitMs / 1000)} s for a sign of life`,
  );
  const deadline = monotonicMs() + waitMs;
  while (monotonicMs() < deadline) {
    await sleep(Math.min(heartbeatPollMs, waitMs));
    const now = await store.getRun(run.info.runId);
    if (now.info.status !== "RUNNING") return;
    if (readHeartbeat(now) !== heartbeat) throw alive(run);
  }
}

const alive = (run: Run): UsageError =>
  new UsageError(`the run of this resume key, ${run.info.runId}, is alive right now`, {
    exitCode: 125,
    hint: `wait until it has ended, or track resume --force ${shortId(run)}`,
  });

const shortId = (run: Run | undefined): string => run?.info.runId.slice(0, 8) ?? "";

/** The run that the first rank has made, where it is there in time. Whatever is in the way: the rank joins it later. */
async function findJoined(
  base: Preflight,
  request: ClusterPreflightRequest,
  { group }: RankPlace,
): Promise<Pick<Preflight, "joined" | "experiment">> {
  const none = { experiment: base.experiment };
  if (base.fault !== undefined) return none;
  const begunAt = request.now();
  const deadline = monotonicMs() + joinWaitMs;
  let store: TrackingStore | undefined;
  try {
    while (monotonicMs() < deadline) {
      store ??= await openForLookup(request).catch(ignoreStoreError);
      const experimentId = store && (await experimentIdOf(store, base).catch(ignoreStoreError));
      const run =
        store && experimentId !== undefined
          ? await findGroupRun(store, {
              group,
              command: request.command,
              startTime: begunAt,
              now: request.now(),
              experimentId,
            }).catch(ignoreStoreError)
          : undefined;
      if (run !== undefined && runLiveness(run, readPlace()) !== "dead") {
        return { joined: run, experiment: { experimentId: run.info.experimentId } };
      }
      await sleep(joinPollMs * (isServerUri(request.settings.trackingUri) ? 4 : 1) * (1 + Math.random()));
    }
  } finally {
    await store?.[Symbol.asyncDispose]();
  }
  return none;
}

async function experimentIdOf(store: TrackingStore, { experiment }: Preflight): Promise<string | undefined> {
  if ("experimentId" in experiment) return experiment.experimentId;
  return (await store.getExperimentByName(experiment.experimentName))?.experimentId;
}

/** It is looked up later, by the recorder. */
function ignoreStoreError(error: unknown): undefined {
  if (!(error instanceof StoreError)) throw error;
}

/** `undefined` while nothing is stored at all. */
async function openForLookup(request: {
  readonly settings: RunSettings;
  readonly access?: PreflightRequest["access"];
}): Promise<TrackingStore | undefined> {
  const { settings, access } = request;
  try {
    return await openTrackingStore(settings.trackingUri, {
      mode: "read",
      busyTimeoutMs: serverWaitMs,
      ...(access && { access: { ...access, timeoutMs: serverWaitMs, retry: { ...access.retry, maxRetries: 0 } } }),
    });
  } catch (error) {
    if (error instanceof StoreError && error.errorCode === "RESOURCE_DOES_NOT_EXIST") return undefined;
    throw error;
  }
}
