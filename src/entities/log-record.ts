/**
 * The language of socket, append file, scraper and sampler: what a program said about a run.
 * Not validated against the run yet (LiveRun does that), but every field has its type.
 */
export type LogRecord = LogBatchRecord | LogArtifactRecord | LogTextRecord;

/** Metrics, params and tags of one line; applied in the order params, metrics, tags. */
export interface LogBatchRecord {
  readonly type: "batch";
  /** Absent: the wrapper's own run. */
  readonly runId?: string;
  readonly metrics?: readonly (readonly [key: string, value: number])[];
  readonly step?: number;
  /** ms since the epoch; absent: the time of arrival. */
  readonly timestamp?: number;
  readonly params?: readonly (readonly [key: string, value: string])[];
  readonly tags?: readonly (readonly [key: string, value: string])[];
}

/** A file or folder to be copied before the sender gets its reply. */
export interface LogArtifactRecord {
  readonly type: "artifact";
  readonly runId?: string;
  readonly path: string;
  readonly artifactPath?: string;
  /** The sender's working folder, for a relative `path`. */
  readonly cwd?: string;
}

export interface LogTextRecord {
  readonly type: "text";
  readonly runId?: string;
  readonly text: string;
  readonly artifactFile: string;
}

/** What every source of records is handed; it must not throw into the source. */
export type LogSink = (record: LogRecord) => void;
