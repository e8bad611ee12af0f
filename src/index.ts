/**
 * Experiment tracking for TypeScript and JavaScript: MLflow's fluent API (`mlflow.start_run` and its friends) over a store that every
 * MLflow reads. Importing it does nothing; the first call that needs one starts a recorder, or speaks to that of `track run`.
 */
export type { ActiveRun } from "./fluent/active-run.ts";
export type { TextValue } from "./fluent/argument-checks.ts";
export { setExperiment } from "./fluent/experiments.ts";
export { flush } from "./fluent/flush.ts";
export {
  type Logged,
  logMetric,
  logMetrics,
  logParam,
  logParams,
  type MetricOptions,
  setTag,
  setTags,
} from "./fluent/log-calls.ts";
export { logArtifact, logArtifacts, logDict, logText } from "./fluent/log-artifacts.ts";
export { logTable } from "./fluent/log-table.ts";
export {
  deleteRun,
  getMetricHistory,
  getRun,
  restoreRun,
  searchExperiments,
  type SearchExperimentsOptions,
  searchRuns,
  type SearchRunsOptions,
} from "./fluent/queries.ts";
export { type ErrorListener, onError } from "./fluent/report.ts";
export type { StartRunOptions } from "./fluent/run-options.ts";
export { activeRun, endRun, lastActiveRun, startRun, withRun } from "./fluent/runs.ts";
export { setTrackingUri } from "./fluent/session.ts";
export type { TableData } from "./fluent/table.ts";
export {
  type DatasetDescription,
  deleteTag,
  logInput,
  type LogInputOptions,
  setExperimentTag,
  setExperimentTags,
} from "./fluent/tags-and-inputs.ts";
export { type Batch, type ClientRunOptions, TrackingClient } from "./fluent/tracking-client.ts";
export type { Dataset, DatasetInput } from "./entities/dataset.ts";
export type { Experiment } from "./entities/experiment.ts";
export type { LifecycleStage, ViewType } from "./entities/lifecycle-stage.ts";
export type { Metric } from "./entities/metric.ts";
export type { Param } from "./entities/param.ts";
export type { Run, RunData, RunInfo, RunInputs, RunOutputs } from "./entities/run.ts";
export type { RunStatus } from "./entities/run-status.ts";
export type { Tag } from "./entities/tag.ts";
export { type ErrorCode, StoreError, TrackError } from "./errors.ts";
export type { Page, SearchExperimentsQuery, SearchRunsQuery } from "./store/tracking-store.ts";
