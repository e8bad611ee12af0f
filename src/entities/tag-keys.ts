/** MLflow's tag keys (mlflow/utils/mlflow_tags.py), copied exactly. */
export const mlflowTags = {
  runName: "mlflow.runName",
  user: "mlflow.user",
  sourceName: "mlflow.source.name",
  sourceType: "mlflow.source.type",
  gitCommit: "mlflow.source.git.commit",
  gitBranch: "mlflow.source.git.branch",
  gitRepoUrl: "mlflow.source.git.repoURL",
  gitDirty: "mlflow.source.git.dirty",
  note: "mlflow.note.content",
  loggedArtifacts: "mlflow.loggedArtifacts",
  parentRunId: "mlflow.parentRunId",
} as const;

/** Our own tag keys; records.md says what each holds. */
export const trackTags = {
  command: "track.command",
  cwd: "track.cwd",
  host: "track.host",
  version: "track.version",
  platform: "track.platform",
  cpu: "track.cpu",
  memoryMegabytes: "track.memory_megabytes",
  gpus: "track.gpus",
  attempt: "track.attempt",
  attemptStartTime: "track.attempt_start_time",
  exitCode: "track.exit_code",
  signal: "track.signal",
  endReason: "track.end_reason",
  options: "track.options",
  createId: "track.create_id",
  /** On its way from the run keeper to the endpoint only: the script wants a child run. */
  nested: "track.nested",
  /** The id that the command knew the run by, where the server gave another. */
  offlineId: "track.offline_id",
  /** Ids that an imported run or logged model had where it came from, on a server that makes its own. */
  importedRunId: "track.imported_run_id",
  importedModelId: "track.imported_model_id",
  resumeKey: "track.resume_key",
  /** Slurm's restart count of the latest attempt, beside a resume key that is made from Slurm's variables. */
  resumeRestart: "track.resume_restart",
  rankGroup: "track.rank_group",
  process: "track.process",
  heartbeat: "track.heartbeat",
  gitDiffTruncated: "track.git.diff_truncated",
  gitUntrackedTruncated: "track.git.untracked_truncated",
} as const;

/** Key of what attempt `n` of a run had, kept when the next attempt starts. */
export const attemptTag = (attempt: number, key: string): string => `track.attempt.${attempt}.${key}`;

/** Key of what a rank other than 0 that did not end well had: `status`, `exit_code`, `signal` or `end_reason`. */
export const rankTag = (rank: number, key: string): string => `track.rank.${rank}.${key}`;

/** The rank and the rest of such a key. */
export const rankTagPattern = /^track\.rank\.(\d+)\.(\w+)$/u;
