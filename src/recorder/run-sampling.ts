import type { Tag } from "../entities/tag.ts";
import { SystemMetricsMonitor } from "../system-metrics/system-metrics-monitor.ts";
import type { Recording } from "./recording.ts";

export interface RunSamplingOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Of the command, once it has started. */
  readonly rootPid: () => number | undefined;
  now(): number;
}

/** Samples the machine and the command for a run that has a wrapper. */
export function createRunMonitor(recording: Recording, options: RunSamplingOptions): SystemMetricsMonitor {
  const { header, earlier, live } = recording;
  const { intervalSeconds, nodeId } = header.sampling;
  return new SystemMetricsMonitor({
    sink: (record) => {
      if (record.type === "batch") live.log(record);
      live.commit();
    },
    runId: header.runId,
    rootPid: options.rootPid,
    ownPids: [process.pid],
    intervalSeconds,
    nodeId,
    firstStep: Math.max(earlier.nextSystemStep, nextSystemStep(recording)),
    env: options.env,
    onNotice: (text) => recording.notice(`system metrics: ${text}`, text),
    now: options.now,
  });
}

/** A continued run goes on behind the steps of its earlier attempts, each node behind its own. */
function nextSystemStep({ header, live }: Recording): number {
  const { nodeId } = header.sampling;
  const prefix = nodeId === undefined ? "system/" : `system/${nodeId}/`;
  let next = 0;
  for (const [key, { step }] of live.metrics) if (key.startsWith(prefix)) next = Math.max(next, step + 1);
  return next;
}

/** Peaks and means of an attempt, as tags of its run. */
export function samplingTags(monitor: SystemMetricsMonitor | undefined): readonly Tag[] {
  const summary = monitor?.summary();
  if (summary === undefined) return [];
  const toTags = (kind: string, values: ReadonlyMap<string, number>) =>
    Array.from(values, ([key, value]) => ({ key: `track.${kind}.${key}`, value: String(value) }));
  return [...toTags("peak", summary.peak), ...toTags("mean", summary.mean)];
}
