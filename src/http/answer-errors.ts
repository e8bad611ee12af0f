import { type ErrorCode, StoreError } from "../errors.ts";

/** MLflow's codes (contract 6.1) as ours. What is not named goes by the HTTP status. */
const codes: Readonly<Record<string, ErrorCode>> = {
  INVALID_PARAMETER_VALUE: "INVALID_PARAMETER_VALUE",
  BAD_REQUEST: "BAD_REQUEST",
  RESOURCE_ALREADY_EXISTS: "RESOURCE_ALREADY_EXISTS",
  ALREADY_EXISTS: "RESOURCE_ALREADY_EXISTS",
  RESOURCE_CONFLICT: "RESOURCE_ALREADY_EXISTS",
  RESOURCE_DOES_NOT_EXIST: "RESOURCE_DOES_NOT_EXIST",
  NOT_FOUND: "RESOURCE_DOES_NOT_EXIST",
  INVALID_STATE: "INVALID_STATE",
  FEATURE_DISABLED: "INVALID_PARAMETER_VALUE",
  PERMISSION_DENIED: "PERMISSION_DENIED",
  CUSTOMER_UNAUTHORIZED: "UNAUTHENTICATED",
  UNAUTHENTICATED: "UNAUTHENTICATED",
  ENDPOINT_NOT_FOUND: "NOT_IMPLEMENTED",
  NOT_IMPLEMENTED: "NOT_IMPLEMENTED",
  TEMPORARILY_UNAVAILABLE: "TEMPORARILY_UNAVAILABLE",
};

export interface FailedAnswer {
  /** Scheme, host and port of the server. */
  readonly origin: string;
  readonly status: number;
  readonly text: string;
  readonly location?: string;
  readonly retryAfterMs?: number;
}

/** An answer that is no success as a store's error. Network and server faults: `TEMPORARILY_UNAVAILABLE`. */
export function errorOfAnswer(answer: FailedAnswer): StoreError {
  const { origin, status, retryAfterMs } = answer;
  const said = parseError(answer.text);
  const words = said?.message ?? firstWords(answer.text);
  if (status === 401 || status === 403) return refusedCredentials(answer, words);
  const code = said === undefined ? undefined : codes[said.code];
  if (code === "BAD_REQUEST" && isLostDatabase(words)) return away(`${origin}: ${words}`);
  if (code !== undefined) return new StoreError(code, words, { ...(retryAfterMs !== undefined && { retryAfterMs }) });
  if (said !== undefined && status === 500)
    return new StoreError("TEMPORARILY_UNAVAILABLE", `${origin} answers 500: ${words}`, { isServerFault: true });
  return errorOfStatus(answer, words);
}

/** True for what MLflow's server says by a status that is usually worth a retry, but means for good. */
export function isDefinite(error: StoreError): boolean {
  return error.errorCode !== "TEMPORARILY_UNAVAILABLE";
}

function errorOfStatus(answer: FailedAnswer, words: string): StoreError {
  const { origin, status, location, retryAfterMs } = answer;
  if (status >= 300 && status < 400) {
    return new StoreError("INVALID_PARAMETER_VALUE", `${origin} sends us on to ${location ?? "nowhere"}`, {
      hint: "set the tracking URI to where the server really is",
    });
  }
  if (status === 413)
    return new StoreError("INVALID_PARAMETER_VALUE", `${origin} takes nothing as large: 413 ${words}`);
  if (status === 404 && isUnknownRoute(answer.text)) {
    return new StoreError(
      "NOT_IMPLEMENTED",
      `the server at ${origin} does not know this request: it may be an older MLflow`,
    );
  }
  if (status >= 400 && status < 500 && status !== 404 && status !== 408 && status !== 429 && status !== 407) {
    return new StoreError("BAD_REQUEST", `${origin} answers ${status}: ${words}`);
  }
  // A 404 that MLflow did not write is a proxy without its server.
  return away(`${origin} answers ${status}${words === "" ? "" : `: ${words}`}`, retryAfterMs);
}

function refusedCredentials({ origin, status }: FailedAnswer, words: string): StoreError {
  const isHostRefused = words.includes("Invalid Host header");
  const code = status === 401 ? "UNAUTHENTICATED" : "PERMISSION_DENIED";
  const hint = isHostRefused
    ? "add the host to --allowed-hosts of mlflow server"
    : "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, beside MLFLOW_TRACKING_URI";
  return new StoreError(
    code,
    `${origin} refuses ${isHostRefused ? "this host name" : "the credentials"}: ${status} ${words}`,
    { hint },
  );
}

/** A success that is not what MLflow says, such as a login page. */
export function notMlflow(origin: string, text: string): StoreError {
  return away(`${origin} does not answer as an MLflow server does: ${firstWords(text)}`);
}

/** The server could not be asked, or not for now. */
export function away(message: string, retryAfterMs?: number): StoreError {
  return new StoreError("TEMPORARILY_UNAVAILABLE", message, { ...(retryAfterMs !== undefined && { retryAfterMs }) });
}

/** MLflow answers 400 BAD_REQUEST with the words of SQLAlchemy where its own database has gone away. */
function isLostDatabase(words: string): boolean {
  return /\b(?:InterfaceError|OperationalError|InternalError|ReadOnlySqlTransaction|PendingRollbackError|AdminShutdown)\b|connection (?:already|is|was|has been) closed|server closed the connection/u.test(
    words,
  );
}

/** Werkzeug's page, which MLflow's server gives for a path that it does not know. */
function isUnknownRoute(text: string): boolean {
  return text.includes("The requested URL was not found on the server") || text === '{"detail":"Not Found"}';
}

function parseError(text: string): { readonly code: string; readonly message: string } | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null || !("error_code" in value)) return undefined;
    const { error_code: code, message } = value as { error_code: unknown; message?: unknown };
    if (typeof code !== "string") return undefined;
    return { code, message: typeof message === "string" ? message : code };
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function firstWords(text: string): string {
  const plain = text.replaceAll(/<(?:style|script)[\s\S]*?<\/(?:style|script)>|<[^>]*>/gu, " ");
  const words = plain.replaceAll(/\s+/gu, " ").trim();
  return words.length > 200 ? `${words.slice(0, 200)}...` : words;
}
