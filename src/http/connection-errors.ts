import { StoreError } from "../errors.ts";
import { messageOf } from "../util/error-code.ts";

/** Faults of certificates: waiting rarely heals them, so nothing is tried twice within one request. */
const certificateFault = /^(?:ERR_TLS_|ERR_SSL_|CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|HOSTNAME_MISMATCH|ERR_OSSL)/u;

/** An exchange that failed on the way, as `TEMPORARILY_UNAVAILABLE`; nothing of the request's headers is in it. */
export function errorOfConnection(origin: string, error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  const code = codeOf(error);
  const hint = isCertificateFault(error)
    ? "MLFLOW_TRACKING_SERVER_CERT_PATH names the server's authority, MLFLOW_TRACKING_INSECURE_TLS=true checks nothing"
    : undefined;
  return new StoreError("TEMPORARILY_UNAVAILABLE", `${origin} cannot be reached: ${describe(code, error)}`, {
    cause: error,
    ...(hint !== undefined && { hint }),
  });
}

export function isCertificateFault(error: unknown): boolean {
  return certificateFault.test(codeOf(error));
}

/** Nothing of the request can have reached the server. */
export function isBeforeSending(error: unknown): boolean {
  return ["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH", "UND_ERR_CONNECT_TIMEOUT"].includes(
    codeOf(error),
  );
}

const words: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "the connection was reset",
  ENOTFOUND: "unknown host",
  EAI_AGAIN: "the host name cannot be looked up now",
  EHOSTUNREACH: "no route to the host",
  ENETUNREACH: "no network",
  ETIMEDOUT: "no answer in time",
  EPIPE: "the connection was closed",
  UND_ERR_CONNECT_TIMEOUT: "no connection in time",
  UND_ERR_HEADERS_TIMEOUT: "no answer in time",
  UND_ERR_BODY_TIMEOUT: "the answer stopped half-way",
  UND_ERR_SOCKET: "the connection was closed",
  UND_ERR_ABORTED: "given up",
  UND_ERR_DESTROYED: "given up",
  UND_ERR_CLOSED: "given up",
};

function describe(code: string, error: unknown): string {
  if (error instanceof Error && error.name === "HTTPParserError") return "the answer was cut, or is no HTTP";
  const message = messageOf(error);
  // A proxy's refusal has the code of a request that was given up.
  return message.startsWith("Proxy response") ? `the proxy refuses: ${message}` : (words[code] ?? message);
}

/** Several addresses of one name fail together in an AggregateError. */
function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return "";
  if ("code" in error && typeof error.code === "string") return error.code;
  if (error.name === "TimeoutError") return "UND_ERR_HEADERS_TIMEOUT";
  if (error.name === "AbortError") return "UND_ERR_ABORTED";
  return error instanceof AggregateError ? codeOf(error.errors[0]) : codeOf(error.cause);
}
