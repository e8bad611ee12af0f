import { createHash } from "node:crypto";
import type { Run } from "../../entities/run.ts";
import { mlflowTags, trackTags } from "../../entities/tag-keys.ts";
import type { Tag } from "../../entities/tag.ts";
import { checkRunTag, truncateTagValue } from "../../entities/validation.ts";
import { invalidParameter } from "../../errors.ts";
import type { CreateRunRequest } from "../../store/tracking-store.ts";
import { newRunId, randomHex } from "../../util/ids.ts";
import type { EndpointState } from "./endpoint-state.ts";
import { KnownRun } from "./known-run.ts";

/**
 * The first run that the command asks for is the wrapper's own. One that names its parent, or comes from an inner `track run`,
 * is never that; a later one that names none becomes a child of the wrapper's run. A program of its own has no such run.
 */
export async function createRun(state: EndpointState, said: CreateRunRequest): Promise<Run> {
  const { own, recording } = state;
  checkNames(said);
  const request = withOwnTags(said, own);
  const key = requestKey(request);
  // Its answer was lost when an earlier recorder died, and the client asks once more.
  const answered = recording.earlier.takeRequest(key);
  if (answered !== undefined) return answered === own.id ? own.run() : (await state.find(answered)).run;
  if (recording.header.kind === "program") return await createProgramRun(state, request, key);
  const isInner = hasTag(request, trackTags.createId);
  const isChild = hasTag(request, mlflowTags.parentRunId);
  if (!isInner && !isChild && !own.isTaken) {
    const { name } = await state.experiments.active(request.experimentId);
    // Another client may have been first meanwhile.
    if (!own.isTaken) {
      own.take(request, key);
      own.moveTo(request.experimentId, name);
      return own.run(request.experimentId);
    }
  }
  const parent = isInner || isChild ? [] : [{ key: mlflowTags.parentRunId, value: recording.ids.childRunId }];
  return await createOther(state, { ...request, tags: [...request.tags, ...parent] }, key);
}

/**
 * A client that adds what MLflow knows of the program (Lightning's logger does, and names the source with it) adds our
 * MLFLOW_RUN_CONTEXT too, and has chosen no parent; the run keeper says where the script has.
 */
function withOwnTags(request: CreateRunRequest, { id, isTaken }: { id: string; isTaken: boolean }): CreateRunRequest {
  const isChosen = hasTag(request, trackTags.nested) || !hasTag(request, mlflowTags.sourceName);
  const isInherited = ({ key, value }: Tag): boolean => key === mlflowTags.parentRunId && value === id;
  const tags = request.tags.filter((tag) => tag.key !== trackTags.nested && (isTaken || isChosen || !isInherited(tag)));
  return { ...request, tags };
}

/** A tracking server gives the id that the program prints, so that it is waited for. */
async function createProgramRun(state: EndpointState, request: CreateRunRequest, key: string): Promise<Run> {
  const { recording } = state;
  if (!/^https?:/iu.test(recording.header.trackingUri)) return await createOther(state, request, key);
  const run = await state.access.write((store) => store.createRun(request));
  state.runs.add(KnownRun.read(run));
  // From here on the journal knows of it, and ends it when the program dies.
  recording.live.write({ op: "update-run", runId: run.info.runId, status: "RUNNING" }, { requestKey: key });
  return run;
}

async function createOther(state: EndpointState, request: CreateRunRequest, key: string): Promise<Run> {
  const { experimentId, userId, startTime, runName, tags } = request;
  // Refuses an experiment that is deleted or not there.
  await state.experiments.active(experimentId);
  const named = tags.findLast((tag) => tag.key === mlflowTags.runName)?.value ?? "";
  const runId = newRunId();
  state.recording.live.write(
    {
      op: "create-run",
      runId,
      createId: tags.find((tag) => tag.key === trackTags.createId)?.value ?? randomHex(16),
      experiment: { experimentId },
      runName: runName === "" ? named : runName,
      userId,
      startTime,
      tags: [
        ...tags.map((tag): Tag => ({ key: tag.key, value: truncateTagValue(tag.value).value })),
        ...(state.recording.isServer ? [{ key: trackTags.offlineId, value: runId }] : []),
      ],
    },
    { requestKey: key },
  );
  return (await state.find(runId)).run;
}

function checkNames({ runName, tags }: CreateRunRequest): void {
  for (const { key, value } of tags) checkRunTag({ key, value: truncateTagValue(value).value });
  const named = tags.findLast(({ key }) => key === mlflowTags.runName)?.value ?? "";
  if (runName === "" || named === "" || runName === named) return;
  throw invalidParameter(
    "Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different values " +
      `(run_name='${runName}', mlflow.runName='${named}').`,
  );
}

/** Tells a request that is said again from another one; a minted name differs each time. */
function requestKey({
  experimentId,
  userId,
  startTime,
  runName,
  isNameMinted = false,
  tags,
}: CreateRunRequest): string {
  const said = [
    experimentId,
    userId,
    startTime,
    isNameMinted ? "" : runName,
    tags.map(({ key, value }) => [key, value]),
  ];
  return createHash("sha256").update(JSON.stringify(said)).digest("base64url");
}

const hasTag = ({ tags }: CreateRunRequest, key: string): boolean => tags.some((tag) => tag.key === key);
