import type { ServerAccess } from "../../entities/server-access.ts";
import { mlflowTags, trackTags } from "../../entities/tag-keys.ts";
import type { Tag } from "../../entities/tag.ts";
import { truncateParamValue, truncateTagValue } from "../../entities/validation.ts";
import type { Cluster } from "../../settings/cluster.ts";
import type { RunSettings } from "../../settings/run-settings.ts";
import { newRunId, randomHex } from "../../util/ids.ts";
import { readPlace, readStartTicks } from "../../util/proc.ts";
import { randomRunName } from "../../util/run-names.ts";
import { withoutUserinfo } from "../../util/uri-secrets.ts";
import { version } from "../../util/version.ts";
import type { JournalHeader, PinnedChoices } from "../../wire/journal-header.ts";
import type { SecretMasker } from "../../wire/redact.ts";
import type { LaunchRequest } from "./launch-request.ts";
import { attemptOf, endedAttemptTags, nextAttempt, splitParams, staleTags } from "./previous-attempt.ts";
import type { Preflight } from "./preflight.ts";

export interface AttemptRequest extends Pick<
  LaunchRequest,
  | "settings"
  | "preflight"
  | "command"
  | "kind"
  | "outerJournal"
  | "cwd"
  | "userName"
  | "sourceTags"
  | "recordedOptions"
  | "tensorboard"
  | "cluster"
> {
  readonly masker: SecretMasker;
  readonly startTime: number;
  readonly isDirect: boolean;
  readonly socketPath?: string;
  readonly server?: { readonly access: ServerAccess; readonly isUntrusted: boolean };
}

/** All that is needed to create the run, or to continue it, with secrets masked. */
export function attemptHeader(request: AttemptRequest): JournalHeader {
  const { settings, preflight, masker, startTime } = request;
  const run = preflight.run;
  const createId = randomHex(16);
  const params = settings.params.map(({ key, value }) => ({
    key,
    value: truncateParamValue(masker.maskKeyValue(key, value)).value,
  }));
  const split = run === undefined ? { params, tags: [] } : splitParams(run, params);
  const given = settings.runName === undefined ? undefined : masker.maskText(settings.runName);
  const runName = given ?? (run === undefined ? randomRunName() : undefined);
  return {
    version: 1,
    trackingUri: withoutUserinfo(settings.trackingUri),
    ...serverFields(request),
    runId: run?.info.runId ?? newRunId(),
    attempt: run === undefined ? 1 : nextAttempt(run),
    ...shellKind(request),
    isResumed: run !== undefined,
    createId,
    ...placeOf(preflight),
    ...(runName !== undefined && { runName }),
    userId: request.userName,
    startTime,
    tags: [...initialTags(request, createId), ...split.tags],
    staleTags: run === undefined ? [] : staleTags(run),
    params: split.params,
    ...ways(request),
    pinned: pinnedChoices(settings, run !== undefined),
    command: masker.maskArgv(request.command),
    cwd: request.cwd,
    place: readPlace(),
    wrapper: { pid: process.pid, startTicks: readStartTicks(process.pid) ?? 0 },
    ...(request.socketPath !== undefined && { socketPath: request.socketPath }),
    survive: settings.survive,
    redact: settings.redact,
    hasSecrets: masker.hasSecrets,
    ...rankFields(request),
    consoleLimitBytes: settings.consoleLimitBytes,
    ...readAlong(request),
  };
}

function serverFields({ server }: AttemptRequest): Pick<JournalHeader, "workspace" | "isUntrusted"> {
  const workspace = server?.access.workspace;
  return {
    ...(server?.isUntrusted === true && { isUntrusted: true }),
    ...(workspace !== undefined && { workspace }),
  };
}

function shellKind({ kind, outerJournal }: AttemptRequest): Pick<JournalHeader, "kind" | "outerJournal"> {
  return kind === undefined ? {} : { kind, ...(outerJournal !== undefined && { outerJournal }) };
}

function ways({ isDirect, settings }: AttemptRequest): Pick<JournalHeader, "isDirect" | "isOffline"> {
  return { isDirect, ...(settings.offline && { isOffline: true }) };
}

function placeOf({ experiment, experimentName }: Preflight): Pick<JournalHeader, "experiment" | "experimentName"> {
  return { experiment, ...(experimentName !== undefined && { experimentName }) };
}

/** A rank that joins a run says nothing of what the first one says, and knows its attempt only from the run. */
function rankFields({
  settings,
  preflight,
  cluster,
}: AttemptRequest): Pick<JournalHeader, "sampling"> & Partial<JournalHeader> {
  const { sampling } = settings;
  const { rank } = cluster ?? {};
  if (rank === undefined) return { sampling };
  const { index, group, nodeId } = rank;
  const shared = {
    rank: { index, group, isRunKnown: preflight.joined !== undefined },
    sampling: {
      ...sampling,
      enabled: sampling.enabled && rank.isNodesFirst,
      ...(sampling.nodeId === undefined && nodeId !== undefined && { nodeId }),
    },
  };
  if (index === 0) return shared;
  const joined = preflight.joined;
  return {
    ...shared,
    ...(joined !== undefined && { runId: joined.info.runId, runName: joined.info.runName }),
    attempt: joined === undefined ? rank.restart + 1 : attemptOf(joined),
    tags: [],
    params: [],
    pinned: { runName: true, experiment: true, tagKeys: [] },
  };
}

function readAlong({ settings, tensorboard }: AttemptRequest): Pick<JournalHeader, "scrape" | "tensorboard"> {
  return {
    ...(settings.scrape !== undefined && { scrape: settings.scrape }),
    ...(tensorboard !== undefined && { tensorboard }),
  };
}

/** The experiment of a run that is continued is the run's own. */
function pinnedChoices(settings: RunSettings, isResumed: boolean): PinnedChoices {
  return {
    runName: settings.runName !== undefined,
    experiment: settings.isExperimentGiven || isResumed,
    tagKeys: settings.tags.map(({ key }) => key),
  };
}

/** The user's tags override ours and MLflow's context tags, as in MLflow. */
function initialTags(request: AttemptRequest, createId: string): readonly Tag[] {
  const { settings, preflight, masker } = request;
  const run = preflight.run;
  const context: Record<string, string> = {
    [mlflowTags.user]: request.userName,
    ...Object.fromEntries(request.sourceTags.map(({ key, value }) => [key, value])),
    // A shell with all that it does is no command that could be run again below a run.
    ...(request.kind !== "shell" && { [trackTags.command]: JSON.stringify(masker.maskArgv(request.command)) }),
    [trackTags.cwd]: request.cwd,
    [trackTags.version]: version,
    [trackTags.attempt]: String(run === undefined ? 1 : nextAttempt(run)),
    [trackTags.attemptStartTime]: String(request.startTime),
    [trackTags.options]: masker.maskText(request.recordedOptions),
    ...clusterTags(request.cluster),
  };
  if (run === undefined) {
    context[trackTags.createId] = createId;
    const parentRunId = preflight.missedRunId ?? settings.parentRunId;
    if (parentRunId !== undefined) context[mlflowTags.parentRunId] = parentRunId;
  }
  const own = Object.entries(context).map(([key, value]) => ({ key, value }));
  const given = settings.tags.map(({ key, value }) => ({ key, value: masker.maskKeyValue(key, value) }));
  const ended = run === undefined ? [] : endedAttemptTags(run);
  const merged = new Map([...ended, ...own, ...given].map(({ key, value }) => [key, truncateTagValue(value).value]));
  return Array.from(merged, ([key, value]) => ({ key, value }));
}

function clusterTags({ resumeKey, rank }: Cluster = {}): Record<string, string> {
  return {
    ...(resumeKey !== undefined && { [trackTags.resumeKey]: resumeKey.hash }),
    ...(resumeKey?.isGiven === false && { [trackTags.resumeRestart]: String(resumeKey.restart) }),
    ...(rank !== undefined && { [trackTags.rankGroup]: rank.group }),
  };
}
