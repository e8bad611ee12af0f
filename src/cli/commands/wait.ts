import { setTimeout as sleep } from "node:timers/promises";
import { isTerminalStatus } from "../../entities/run-status.ts";
import type { Run } from "../../entities/run.ts";
import { TrackError } from "../../errors.ts";
import type { TrackingStore } from "../../store/tracking-store.ts";
import { monotonicMs } from "../../util/monotonic.ts";
import { runToJson } from "../../wire/rest-json.ts";
import { readHeartbeat, readRunProcesses } from "../../wire/run-processes.ts";
import type { Context } from "../context.ts";
import { formatDuration } from "../format-time.ts";
import { openExisting } from "../open-for-reading.ts";
import { repairDeadRuns } from "../repair-dead-runs.ts";
import { isAliveHere } from "../run-liveness.ts";
import { writeTable } from "../table.ts";
import { writeJson } from "../write-json.ts";
import { findRun, findRuns } from "../find-run.ts";

export interface WaitOptions {
  readonly timeoutMs?: number;
  readonly json?: boolean;
  readonly trackingUri?: string;
}

/** A run of seconds is noticed at once, one of hours costs hardly a look. */
const pollMs = (waitedMs: number): number => Math.min(1000, 100 + waitedMs / 20);
/** Without a sign of life for so long a run of another host may never end. */
const silentMs = 120_000;

/** Waits until all runs have ended; 0 when all are FINISHED, 1 when one is not, or when the time is up. */
export async function wait(context: Context, options: WaitOptions, names: readonly string[]): Promise<number> {
  await using store = await openExisting(context, "read", options.trackingUri);
  const found = await findRuns(names, (name) => findRun(store, name));
  const runs = await waitForAll(context, store, options, found);
  if (options.json === true) writeJson(context.io, { runs: runs.map(runToJson) });
  else writeRuns(context, runs);
  const open = runs.filter((run) => !hasEnded(context, run, options.trackingUri));
  if (open.length > 0) {
    const shown = open.map((run) => run.info.runId.slice(0, 8)).join(", ");
    throw new TrackError(`still running after ${formatDuration(options.timeoutMs ?? 0)}: ${shown}`, {
      hint: "give a longer --timeout, or none",
    });
  }
  return runs.every((run) => run.info.status === "FINISHED") ? 0 : 1;
}

async function waitForAll(
  context: Context,
  store: TrackingStore,
  options: WaitOptions,
  found: readonly Run[],
): Promise<readonly Run[]> {
  const began = monotonicMs();
  const told = new Set<string>();
  for (let runs = found; ;) {
    const open = runs.filter((run) => !hasEnded(context, run, options.trackingUri));
    for (const run of open) tellSilent(context, run, told);
    const waitedMs = monotonicMs() - began;
    const leftMs = (options.timeoutMs ?? Infinity) - waitedMs;
    if (open.length === 0 || leftMs <= 0) return runs;
    await sleep(Math.min(pollMs(waitedMs), leftMs));
    await repairDeadRuns(context, options.trackingUri);
    runs = await Promise.all(runs.map(async (run) => (open.includes(run) ? await store.getRun(run.info.runId) : run)));
  }
}

/** The status that a script set itself is not the last word while its command lives. */
function hasEnded(context: Context, run: Run, trackingUri: string | undefined): boolean {
  return isTerminalStatus(run.info.status) && !isAliveHere(context, run, trackingUri);
}

function tellSilent(context: Context, run: Run, told: Set<string>): void {
  const heartbeat = readHeartbeat(run);
  const host = readRunProcesses(run)?.host;
  if (heartbeat === undefined || host === undefined || told.has(run.info.runId)) return;
  const ageMs = context.now() - heartbeat;
  if (ageMs < silentMs) return;
  told.add(run.info.runId);
  const shortId = run.info.runId.slice(0, 8);
  context.io.say(`run ${shortId} was last heard of ${formatDuration(ageMs)} ago on ${host}: track doctor --stale`);
}

function writeRuns(context: Context, runs: readonly Run[]): void {
  writeTable(
    context.io,
    [
      { title: "RUN ID", cell: ({ info }: Run) => info.runId },
      { title: "NAME", cell: ({ info }: Run) => info.runName, minWidth: 8 },
      { title: "STATUS", cell: ({ info }: Run) => info.status },
    ],
    runs,
  );
}
