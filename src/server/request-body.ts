import type { IncomingMessage } from "node:http";
import { invalidParameter, StoreError } from "../errors.ts";
import type { JsonObject } from "../wire/rest-json.ts";
import { isJsonObject } from "../wire/rest-json-values.ts";
import { RequestRefusal } from "./answer.ts";

/** So much of a body that is too large is still read: a client that is cut while it sends takes that for an outage and tries again. */
const drainedBytes = 256 * 1024 * 1024;

/** The JSON object in a request's body; no body at all is the empty object. Anything else, or a wrong content type, is refused. */
export function parseMessage({ method, headers }: IncomingMessage, body: string): JsonObject {
  if (method === "POST" || method === "PUT") checkContentType(headers["content-type"]);
  if (body.length === 0) return {};
  const value = parseJson(body);
  // Old clients encode their message twice.
  const message = typeof value === "string" ? parseJson(value) : value;
  if (!isJsonObject(message)) throw invalidParameter("The request body must be a JSON object.");
  return message;
}

/** The whole body; one over `maxBytes` is refused. */
export function readBody(request: IncomingMessage, maxBytes: number): Promise<string> {
  return new Promise((resolve, reject) => {
    let chunks: Buffer[] = [];
    let size = 0;
    request.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size <= maxBytes) chunks.push(chunk);
      else if (size > maxBytes + drainedBytes) reject(tooLarge(maxBytes));
      else chunks = [];
    });
    request.on("end", () => {
      if (size > maxBytes) reject(tooLarge(maxBytes));
      else resolve(chunks.length === 1 ? (chunks[0] as Buffer).toString() : Buffer.concat(chunks).toString());
    });
    const onBreak = (): void =>
      reject(new RequestRefusal(400, new StoreError("BAD_REQUEST", "The request broke off.")));
    request.on("error", onBreak);
    request.on("aborted", onBreak);
  });
}

function tooLarge(maxBytes: number): RequestRefusal {
  const error = new StoreError("BAD_REQUEST", `The request body is larger than ${maxBytes} bytes.`);
  return new RequestRefusal(413, error, { Connection: "close" });
}

function checkContentType(contentType: string | undefined): void {
  if (contentType === undefined) throw invalidParameter("Bad Request. Content-Type header is missing.");
  if (contentType !== "application/json" && contentType.split(";")[0] !== "application/json") {
    throw invalidParameter("Bad Request. Content-Type must be one of ['application/json'].");
  }
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw invalidParameter(`The request body is not JSON: ${error.message}`);
  }
}
