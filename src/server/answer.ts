import type { OutgoingHttpHeader, ServerResponse } from "node:http";
import { type ErrorCode, StoreError } from "../errors.ts";
import type { JsonObject } from "../wire/rest-json.ts";

/** MLflow's HTTP status of each error code (mlflow/exceptions.py `ERROR_CODE_TO_HTTP_STATUS`); 500 for the rest. */
const statuses: Readonly<Record<string, number>> = {
  INVALID_PARAMETER_VALUE: 400,
  BAD_REQUEST: 400,
  RESOURCE_ALREADY_EXISTS: 400,
  RESOURCE_DOES_NOT_EXIST: 404,
  PERMISSION_DENIED: 403,
  UNAUTHENTICATED: 401,
  NOT_IMPLEMENTED: 501,
  TEMPORARILY_UNAVAILABLE: 503,
};

/** An answer that is no store's: it has its own HTTP status. */
export class RequestRefusal extends StoreError {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, error: StoreError, headers: Readonly<Record<string, string>> = {}) {
    super(error.errorCode, error.message);
    this.status = status;
    this.headers = headers;
  }
}

const emptyMessage = Buffer.from("{}");
const emptyHeaders: readonly OutgoingHttpHeader[] = ["Content-Type", "application/json", "Content-Length", "2"];

/** 200 with a message; `{}` without one. */
export function answerJson(response: ServerResponse, message: JsonObject | undefined): void {
  if (message !== undefined) return answerText(response, 200, "application/json", JSON.stringify(message));
  response.writeHead(200, emptyHeaders as OutgoingHttpHeader[]);
  response.end(emptyMessage);
}

export function answerText(response: ServerResponse, status: number, contentType: string, body: string): void {
  const length = String(Buffer.byteLength(body));
  response.writeHead(status, ["Content-Type", contentType, "Content-Length", length]);
  response.end(body);
}

/** What went wrong, in MLflow's form; nothing more can be said once an answer has begun, so then the connection is cut. */
export function answerError(response: ServerResponse, error: StoreError): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const isRefusal = error instanceof RequestRefusal;
  if (isRefusal) for (const [name, value] of Object.entries(error.headers)) response.setHeader(name, value);
  const body = Buffer.from(errorBody(error));
  response.setHeader("Content-Type", "application/json");
  response.setHeader("Content-Length", body.length);
  response.statusCode = isRefusal ? error.status : (statuses[error.errorCode] ?? 500);
  response.end(body);
}

/** MLflow's error body; the last two fields are there from 3.12 on, for most codes. */
export function errorBody({ errorCode, message, hint }: StoreError): string {
  return JSON.stringify({
    error_code: errorCode,
    message: hint === undefined ? message : `${message} (${hint})`,
    ...classOf(errorCode),
  });
}

function classOf(errorCode: ErrorCode): JsonObject {
  switch (errorCode) {
    case "RESOURCE_DOES_NOT_EXIST":
      return { sqlstate: "KAM00", error_class: "RESOURCE_NOT_FOUND" };
    case "BAD_REQUEST":
      return { sqlstate: "KAM00", error_class: "INVALID_PARAMETER_VALUE" };
    case "INVALID_STATE":
    case "TEMPORARILY_UNAVAILABLE":
    case "INTERNAL_ERROR":
      return { sqlstate: "XXM00", error_class: "CLIENT_INTERNAL_ERROR" };
    case "UNAUTHENTICATED":
    case "NOT_IMPLEMENTED":
      return {};
    case "INVALID_PARAMETER_VALUE":
    case "RESOURCE_ALREADY_EXISTS":
    case "PERMISSION_DENIED":
      return { sqlstate: "KAM00", error_class: errorCode };
  }
}

/** MLflow's answer to a path that it does not know; its client makes ENDPOINT_NOT_FOUND of it. */
export function answerNotFound(response: ServerResponse): void {
  answerText(response, 404, "text/html; charset=utf-8", htmlPage("404 Not Found", "Not Found", notFoundText));
}

export function answerMethodNotAllowed(response: ServerResponse, allowed: readonly string[]): void {
  response.setHeader("Allow", allowed.join(", "));
  const html = htmlPage(
    "405 Method Not Allowed",
    "Method Not Allowed",
    "The method is not allowed for the requested URL.",
  );
  answerText(response, 405, "text/html; charset=utf-8", html);
}

const notFoundText =
  "The requested URL was not found on the server. If you entered the URL manually please check your spelling and try again.";

function htmlPage(title: string, heading: string, paragraph: string): string {
  return `<!doctype html>\n<html lang=en>\n<title>${title}</title>\n<h1>${heading}</h1>\n<p>${paragraph}</p>\n`;
}
