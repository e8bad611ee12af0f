import { invalidParameter } from "../errors.ts";
import {
  checkBoolean,
  checkGivenRunId,
  checkOptionalText,
  checkOptions,
  experimentIdOf,
  type TextValue,
  toTags,
} from "./argument-checks.ts";

/** Parameters of MLflow's `start_run` (contract 1.1). */
export interface StartRunOptions {
  /** Resumes that run; wins over MLFLOW_RUN_ID. */
  readonly runId?: string;
  /** Of a new run; a resumed one stays where it is. */
  readonly experimentId?: string | number;
  /** Name of a new run, by default a random one; renames a run that is resumed. */
  readonly runName?: string;
  /** Needed where a run is active already: the new one becomes its child. */
  readonly nested?: boolean;
  /** Parent of a new run; with a run active, it must be that one. */
  readonly parentRunId?: string;
  readonly tags?: Readonly<Record<string, TextValue>>;
  /** Markdown, kept as tag `mlflow.note.content`. */
  readonly description?: string;
  /** Samples machine and program while the run is open, by default as MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING says. `track run` decides for its own run. */
  readonly logSystemMetrics?: boolean;
}

export interface CheckedRunOptions extends Omit<StartRunOptions, "experimentId"> {
  readonly experimentId?: string;
}

const fields = ["runId", "experimentId", "runName", "nested", "parentRunId", "tags", "description", "logSystemMetrics"];

/** Throws `INVALID_PARAMETER_VALUE` for what MLflow would not take, before anything is done. */
export function checkRunOptions(options: StartRunOptions): CheckedRunOptions {
  checkOptions("startRun", options, fields);
  const { runId, experimentId, runName, nested, parentRunId, tags, description } = options;
  if (runId !== undefined) checkGivenRunId(runId);
  if (parentRunId !== undefined) checkGivenRunId(parentRunId);
  checkOptionalText("runName", runName);
  checkOptionalText("description", description);
  checkBoolean("nested", nested);
  checkBoolean("logSystemMetrics", options.logSystemMetrics);
  if (tags !== undefined) toTags(tags);
  if (description !== undefined && tags !== undefined && "mlflow.note.content" in tags) {
    throw invalidParameter(
      "Description is already set via the tag mlflow.note.content in tags. Remove the key mlflow.note.content from the " +
        "tags or omit the description.",
    );
  }
  const { experimentId: _, runName: __, ...others } = options;
  return {
    ...others,
    // MLflow takes an empty name as none.
    ...(runName !== undefined && runName !== "" && { runName }),
    ...(experimentId !== undefined && { experimentId: experimentIdOf(experimentId) }),
  };
}
