import type { Run } from "../entities/run.ts";
import { formatCell } from "./format-cell.ts";
import { formatIsoTime } from "./format-time.ts";
import type { Io } from "./io.ts";
import type { RunDetails } from "./run-page.ts";

/**
 * Writes what is known of a run as tab-separated lines, the kind of fact first:
 * `run`, `param`, `metric` (value, step, time, min, max), `tag`, `artifact` (size in bytes), `child` (name, status), the best
 * first where they are sorted, each followed by its `child_param` and `child_metric` lines (id, key, value).
 */
export function writeRunRows(io: Io, details: RunDetails): void {
  io.out(
    rowsOf(details)
      .map((row) => `${row.map(formatCell).join("\t")}\n`)
      .join(""),
  );
}

function rowsOf({ run, experiment, summaries, artifacts, children }: RunDetails): readonly (readonly string[])[] {
  const { info, data } = run;
  return [
    ["run", "run_id", info.runId],
    ["run", "run_name", info.runName],
    ["run", "status", info.status],
    ["run", "experiment_id", info.experimentId],
    ["run", "experiment", experiment.name],
    ["run", "start_time", formatIsoTime(info.startTime)],
    ["run", "end_time", info.endTime === undefined ? "" : formatIsoTime(info.endTime)],
    ["run", "user_id", info.userId],
    ["run", "lifecycle_stage", info.lifecycleStage],
    ["run", "artifact_uri", info.artifactUri],
    ...data.params.map((param) => ["param", param.key, param.value]),
    ...data.metrics.map((metric) => {
      const summary = summaries.get(metric.key);
      const extremes = summary?.isComplete === true ? [String(summary.min ?? ""), String(summary.max ?? "")] : ["", ""];
      return [
        "metric",
        metric.key,
        String(metric.value),
        String(metric.step),
        formatIsoTime(metric.timestamp),
        ...extremes,
      ];
    }),
    ...data.tags.map((tag) => ["tag", tag.key, tag.value]),
    ...artifacts.files.map((file) => ["artifact", file.path, file.size === undefined ? "" : String(file.size)]),
    ...children.runs.flatMap(childRows),
  ];
}

function childRows({ info, data }: Run): readonly (readonly string[])[] {
  const metrics = data.metrics.filter(({ key }) => !key.startsWith("system/"));
  return [
    ["child", info.runId, info.runName, info.status],
    ...data.params.map(({ key, value }) => ["child_param", info.runId, key, value]),
    ...metrics.map(({ key, value }) => ["child_metric", info.runId, key, String(value)]),
  ];
}
