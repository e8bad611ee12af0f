import type { RunStatus } from "../entities/run-status.ts";
import type { SystemMetricsMonitor } from "../system-metrics/system-metrics-monitor.ts";
import type { RunSummary } from "../wire/control-messages.ts";
import { type AttemptEnd, finalStatus } from "../wire/final-status.ts";
import { joinedRank } from "./joined-rank.ts";
import type { Recording } from "./recording.ts";

/** What the closing line tells of a run that is over, from the store where that can be asked. */
export async function summarizeRun(
  recording: Recording,
  end: AttemptEnd,
  monitor: SystemMetricsMonitor | undefined,
): Promise<RunSummary> {
  const { run, experimentName } = await recording.view.stored();
  const ownStatus = finalStatus(end).status;
  // Of one of several ranks it is that rank's own.
  const isJoining = joinedRank(recording.header) !== undefined;
  const status: RunStatus = isJoining ? ownStatus : (run?.info.status ?? ownStatus);
  // The store also has what an MLflow client of the command's wrote past us.
  const known = run?.data.metrics ?? Array.from(recording.live.metrics, ([key, { value }]) => ({ key, value }));
  // NaN and infinities become null on their way through IPC's JSON.
  const metrics = known.filter(({ key, value }) => !key.startsWith("system/") && Number.isFinite(value));
  const peak = monitor?.peakMemoryMegabytes;
  return {
    runId: recording.ids.storeRunId,
    status,
    runName: run?.info.runName ?? recording.header.runName ?? "",
    ...(experimentName !== undefined && { experimentName }),
    metrics: metrics.slice(0, 3).map(({ key, value }) => [key, value]),
    ...(peak !== undefined && { peakMemoryMegabytes: peak }),
    gpuUtilization: [...(monitor?.gpuUtilization ?? [])],
    pendingEntries: recording.pendingEntries,
    refusedEntries: recording.refusedEntries,
  };
}
