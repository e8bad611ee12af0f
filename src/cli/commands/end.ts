import { isTerminalStatus } from "../../entities/run-status.ts";
import type { Run } from "../../entities/run.ts";
import { TrackError, UsageError } from "../../errors.ts";
import type { EndRequest } from "../../wire/end-request.ts";
import { toAttemptEnd } from "../../wire/end-request.ts";
import { finalStatus } from "../../wire/final-status.ts";
import { runToJson } from "../../wire/rest-json.ts";
import { readHeartbeat, readRunProcesses } from "../../wire/run-processes.ts";
import { closeRun, type RunEnd } from "../close-run.ts";
import type { Context } from "../context.ts";
import { endOwnRun } from "../end-own-run.ts";
import { type EnclosingRun, enclosingRun } from "../end-shell-run.ts";
import { findRun } from "../find-run.ts";
import { formatDuration } from "../format-time.ts";
import { openExisting } from "../open-for-reading.ts";
import { isAliveHere } from "../run-liveness.ts";
import { writeJson } from "../write-json.ts";
import type { EndOptions } from "./end-options.ts";

/** A heartbeat comes every 30 s: one this young is of a run that lives on another host. */
const aliveMs = 120_000;
const shortestPrefix = 4;

/**
 * Without a name: ends the run of this shell, and says so where there is nothing to end. With one: the same where it names that run;
 * else ends a run by hand. One that has ended already stays as it is; one that is alive is refused: its own end would win.
 */
export async function end(context: Context, options: EndOptions, name: string | undefined): Promise<void> {
  if (options.status !== undefined && options.exitCode !== undefined) {
    throw new UsageError("--status and --status-from say the same twice", { hint: "give one of the two" });
  }
  if (options.printEnv === true && options.json === true) {
    throw new UsageError("--print-env and --json both want stdout", { hint: "give one of the two" });
  }
  const own = enclosingRun(context);
  if (name === undefined || isOwn(own, name))
    return await endOwnRun(context, options, { own, isNamed: name !== undefined });
  if (options.printEnv === true) {
    throw new UsageError(`--print-env is for the run of this shell, not for ${name}`, {
      hint: "track end --print-env",
    });
  }
  await endByHand(context, options, name);
}

function isOwn(own: EnclosingRun | undefined, name: string): boolean {
  return own?.header?.kind === "shell" && name.length >= shortestPrefix && own.runId.startsWith(name);
}

async function endByHand(context: Context, options: EndOptions, name: string): Promise<void> {
  await using store = await openExisting(context, "write", options.trackingUri);
  const run = await findRun(store, name);
  const { runId, runName, status } = run.info;
  if (isTerminalStatus(status)) context.io.say(`ended already: ${runId} (${runName}), ${status}`);
  else {
    refuseUnfit(context, run, options.trackingUri);
    const runEnd = endOf(options, context.now());
    await closeRun(store, run, runEnd);
    context.io.say(`ended: ${runId} (${runName}), ${runEnd.status}`);
  }
  if (options.json === true) writeJson(context.io, { run: runToJson(await store.getRun(runId)) });
}

function refuseUnfit(context: Context, run: Run, trackingUri: string | undefined): void {
  const { runId, runName, lifecycleStage } = run.info;
  const shortId = runId.slice(0, 8);
  if (lifecycleStage === "deleted") {
    throw new TrackError(`the run is deleted: ${runId}`, { hint: `track restore ${shortId}` });
  }
  const hint = `stop its command; track wait ${shortId} tells when it has ended`;
  if (isAliveHere(context, run, trackingUri)) throw new TrackError(`the run is alive: ${runId} (${runName})`, { hint });
  const heartbeat = readHeartbeat(run);
  const ageMs = context.now() - (heartbeat ?? 0);
  if (ageMs >= aliveMs) return;
  const host = readRunProcesses(run)?.host ?? "another host";
  throw new TrackError(`the run was alive ${formatDuration(ageMs)} ago on ${host}: ${runId} (${runName})`, { hint });
}

function endOf(request: EndRequest, endTime: number): RunEnd {
  const { status, tags } = finalStatus(toAttemptEnd(request, endTime));
  return { status, endTime, tags };
}
