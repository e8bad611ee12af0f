/** MLflow's error codes, as its REST API names them (mlflow/protos/databricks_pb2 `ErrorCode`). */
export type ErrorCode =
  | "INVALID_PARAMETER_VALUE"
  | "BAD_REQUEST"
  | "RESOURCE_ALREADY_EXISTS"
  | "RESOURCE_DOES_NOT_EXIST"
  | "INVALID_STATE"
  | "TEMPORARILY_UNAVAILABLE"
  | "PERMISSION_DENIED"
  | "UNAUTHENTICATED"
  | "NOT_IMPLEMENTED"
  | "INTERNAL_ERROR";

export interface TrackErrorOptions {
  readonly exitCode?: number;
  /** What the user can type or do, without the word "hint". */
  readonly hint?: string;
  readonly cause?: unknown;
}

/** An expected failure: the user sees its message as one line, and the hint as a second one. */
export class TrackError extends Error {
  readonly exitCode: number;
  readonly hint: string | undefined;

  constructor(message: string, options: TrackErrorOptions = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.name = new.target.name;
    this.exitCode = options.exitCode ?? 1;
    this.hint = options.hint;
  }
}

/** The command line itself is wrong: exit code 2, but 125 for `run` and `resume` (cli.md). Always with a hint. */
export class UsageError extends TrackError {
  constructor(message: string, options: TrackErrorOptions = {}) {
    super(message, { exitCode: 2, hint: "track --help", ...options });
  }
}

/**
 * What a store or artifact repository answers instead of a result.
 * `TEMPORARILY_UNAVAILABLE` is the only code that a retry can heal; the drain keeps such an entry and tries again.
 */
export class StoreError extends TrackError {
  readonly errorCode: ErrorCode;
  /** A server said when it wants to be asked again, ms. */
  readonly retryAfterMs: number | undefined;
  /** A server is there and fails at this very request; it may do so for ever. */
  readonly isServerFault: boolean;

  constructor(errorCode: ErrorCode, message: string, options: StoreErrorOptions = {}) {
    super(message, options);
    this.errorCode = errorCode;
    this.retryAfterMs = options.retryAfterMs;
    this.isServerFault = options.isServerFault ?? false;
  }
}

export interface StoreErrorOptions extends TrackErrorOptions {
  readonly retryAfterMs?: number;
  readonly isServerFault?: boolean;
}

export const invalidParameter = (message: string): StoreError => new StoreError("INVALID_PARAMETER_VALUE", message);

export const doesNotExist = (message: string): StoreError => new StoreError("RESOURCE_DOES_NOT_EXIST", message);

/** True where waiting may help: the store is locked, busy, away or out of space, and nothing was refused. */
export function isTransient(error: unknown): boolean {
  return error instanceof StoreError && error.errorCode === "TEMPORARILY_UNAVAILABLE";
}
