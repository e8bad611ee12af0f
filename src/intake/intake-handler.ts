import type { LogRecord } from "../entities/log-record.ts";
import type { EndRequest } from "../wire/end-request.ts";
import type { SamplingRequest } from "../wire/sampling-request.ts";

/** Who said a record. `offset`: how far the append file is taken in once this record is, in bytes. */
export type RecordSource =
  | { readonly kind: "socket"; readonly connectionId: number }
  | { readonly kind: "file"; readonly offset: number };

/** Why a line was not taken; each is reported to the user once. */
export type BadLineKind =
  | "no-object"
  | "too-long"
  | "unknown-field"
  | "mixed"
  | "bad-name"
  | "bad-value"
  | "half-line"
  | "refused"
  | "truncated"
  | "fault";

/** `journal`: on disk there (fdatasync); `store`: in the store itself. */
export type FlushLevel = "journal" | "store";

/** What both sources need from whoever takes records in. */
export interface RecordHandler {
  /**
   * Called in the order of the lines. A promise means that more must happen before the reply (an artifact's copy).
   * A `StoreError`, thrown or rejected, refuses the line.
   */
  record(record: LogRecord, source: RecordSource): undefined | Promise<void>;
  /** Once after each chunk of lines, before its replies are sent: the time to write what was collected. */
  batchEnd?(): void;
  /** A line was dropped and nobody is waiting to hear why. Called every time; the handler counts, and tells once per kind. */
  reportBad(kind: BadLineKind, message: string): void;
}

/** What the socket needs besides. */
export interface IntakeHandler extends RecordHandler {
  /** Resolves once every record handed over before, ended batch or not, has reached `level`. */
  flush(level: FlushLevel): Promise<void>;
  /** The run in MLflow's REST shape; without id, the wrapper's own. */
  getRun(runId?: string): unknown;
  /** `track end` of a shell's run; resolves to a summary once all is stored. A `StoreError` refuses it. */
  end?(request: EndRequest): Promise<unknown>;
  /** A program has its own runs sampled. A `StoreError` refuses it. */
  sample?(request: SamplingRequest): void;
}

/** What the append file needs besides. */
export interface AppendFileHandler extends RecordHandler {
  /** How far the file is taken in once what was handed over before is, in bytes; before `batchEnd`. */
  fileOffset(offset: number): void;
  /** The shell that the run belongs to has said its pid. */
  shellPid?(pid: number): void;
}
