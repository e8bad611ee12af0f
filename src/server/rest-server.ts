import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { StoreError } from "../errors.ts";
import { messageOf } from "../util/error-code.ts";
import {
  answerError,
  answerJson,
  answerMethodNotAllowed,
  answerNotFound,
  answerText,
  errorBody,
  RequestRefusal,
} from "./answer.ts";
import { type Credentials, Guards } from "./guards.ts";
import { messageFromQuery } from "./message-fields.ts";
import { parseMessage, readBody } from "./request-body.ts";
import { findPath, type FoundPath } from "./route-table.ts";
import type { Call, Route } from "./route.ts";
import type { ServedStores } from "./served-stores.ts";
import type { JsonObject } from "../wire/rest-json.ts";

export type { ServedStores } from "./served-stores.ts";

/** Who asks: the client's TCP port, by which the host can find the process. */
export interface RequestPeer {
  readonly port: number;
}

export interface RestServerOptions {
  /** Asked for as Basic or Bearer; absent: nobody is asked. */
  readonly credentials?: Credentials;
  /** Called for every request that got past the guards. */
  storesFor(peer: RequestPeer): ServedStores;
  /** Largest JSON body; default 64 MiB. Artifacts have no limit. */
  readonly maxBodyBytes?: number;
  /** A server behind this one, which answers what is not to be answered here. */
  readonly elsewhere?: Elsewhere;
  /** Told the path of a request that is not served here, such as those for traces. */
  onUnsupported?(path: string): void;
  /** Told what nobody expected, after the client was answered `INTERNAL_ERROR`. */
  onFault?(error: unknown): void;
}

/** A request as far as it is read when it is decided who answers it. */
export interface HeardRequest {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  /** The variable parts of the path, decoded. */
  readonly values: Readonly<Record<string, string>>;
  /** Body or query; empty where a file is sent or asked for. */
  readonly message: JsonObject;
  readonly peer: RequestPeer;
}

export interface Elsewhere {
  isFor(heard: HeardRequest): boolean | Promise<boolean>;
  /** Writes the response. `body`: where it is read already; else it is still to be read. */
  answer(request: IncomingMessage, response: ServerResponse, body?: string): Promise<void>;
}

const latestResponses = new WeakMap<Socket, ServerResponse>();

export type RequestHandler = (request: IncomingMessage, response: ServerResponse) => void;

/** The MLflow whose answers these are. */
export const servedMlflowVersion = "3.17.2";

const defaultMaxBodyBytes = 64 * 1024 * 1024;
const defaultIdleTimeoutMs = 60_000;
const headersTimeoutMs = 10_000;

/**
 * MLflow's REST API over the stores: a listener for the `request` event of a `node:http` server that listens on 127.0.0.1 and was
 * given to `limitServer`. It never throws; what goes wrong is answered in MLflow's form.
 */
export function createRestHandler(options: RestServerOptions): RequestHandler {
  const guards = new Guards(options.credentials);
  return (request, response) => {
    latestResponses.set(request.socket, response);
    serve(request, response, options, guards).catch((error: unknown) => {
      if (!request.complete) drainOrCut(request);
      if (error instanceof StoreError) return answerError(response, error);
      answerError(response, new StoreError("INTERNAL_ERROR", messageOf(error)));
      options.onFault?.(error);
    });
  };
}

/**
 * Keeps connections open between requests, and cuts those of clients that hang: in the middle of a request line or headers after 10 s,
 * in the middle of a body or an answer after `idleTimeoutMs` (default 60,000) without a byte. An upload as such may last for ever.
 */
export function limitServer(server: Server, { idleTimeoutMs = defaultIdleTimeoutMs } = {}): void {
  server.headersTimeout = headersTimeoutMs;
  server.requestTimeout = 0;
  server.timeout = idleTimeoutMs;
  // Clients keep idle connections for ever, and a request on one that is being closed fails.
  server.keepAliveTimeout = 2 ** 31 - 2000;
  server.on("timeout", (socket: Socket) => {
    // An answer that has begun can only be cut.
    if (latestResponses.get(socket)?.headersSent === true) socket.destroy();
    else answerRaw(socket, "408 Request Timeout", "The client sent nothing for too long.");
  });
  server.on("clientError", (error: NodeJS.ErrnoException, socket: Socket) => {
    const isSlow = error.code === "ERR_HTTP_REQUEST_TIMEOUT";
    const isLong = error.code === "HPE_HEADER_OVERFLOW";
    const status = isSlow ? "408 Request Timeout" : isLong ? "431 Request Header Fields Too Large" : "400 Bad Request";
    answerRaw(socket, status, isSlow ? "The client sent nothing for too long." : "The request is not HTTP.");
  });
}

async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  options: RestServerOptions,
  guards: Guards,
): Promise<void> {
  const { url = "/" } = request;
  // The API of files takes no query, and MLflow's client does not escape a `?` in a file's name.
  const mark = url.startsWith("/api/2.0/mlflow-artifacts/artifacts/") ? -1 : url.indexOf("?");
  const path = mark < 0 ? url : url.slice(0, mark);
  if (path === "/health" || path === "/version") return answerPlain(request, response, path);
  guards.checkOrigin(request);
  if (!path.endsWith("/server-info")) guards.checkCredentials(request);
  const found = findPath(path);
  const route = found?.methods.get(methodOf(request));
  if (found === undefined || route === undefined) {
    if (options.elsewhere !== undefined) return options.elsewhere.answer(request, response);
    return answerUnknown(request, response, { path, found, options });
  }
  const query = mark < 0 ? "" : url.slice(mark + 1);
  const peer = { port: request.socket.remotePort ?? 0 };
  return run(route, { request, response, options, path, values: found.path, query, peer });
}

/** A HEAD is answered as a GET, of which Node leaves the body out. */
function methodOf({ method = "GET" }: IncomingMessage): string {
  return method === "HEAD" ? "GET" : method;
}

function answerUnknown(
  request: IncomingMessage,
  response: ServerResponse,
  { path, found, options }: { path: string; found: FoundPath | undefined; options: RestServerOptions },
): void {
  request.resume();
  if (found !== undefined) return answerMethodNotAllowed(response, [...found.methods.keys()]);
  answerNotFound(response);
  options.onUnsupported?.(path);
}

interface Given {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly options: RestServerOptions;
  readonly path: string;
  readonly values: Call["path"];
  readonly query: string;
  readonly peer: RequestPeer;
}

async function run(route: Route, given: Given): Promise<void> {
  const { request, response, options, query } = given;
  if (route.kind === "stream") {
    const parameters = new URLSearchParams(query);
    if (await isElsewhere(given, Object.fromEntries(parameters))) return options.elsewhere?.answer(request, response);
    await route.handle(request, response, { ...callOf(given), query: parameters });
    return;
  }
  const body = await readBody(request, options.maxBodyBytes ?? defaultMaxBodyBytes);
  const isQuery = query !== "" && methodOf(request) === "GET";
  const message = isQuery ? messageFromQuery(query) : parseMessage(request, body);
  if (await isElsewhere(given, message)) return options.elsewhere?.answer(request, response, body);
  const answer = await route.handle(message, callOf(given));
  answerJson(response, answer ?? undefined);
}

const callOf = ({ options, peer, values }: Given): Call => ({ stores: options.storesFor(peer), path: values });

async function isElsewhere({ options, request, path, values, peer }: Given, message: JsonObject): Promise<boolean> {
  if (options.elsewhere === undefined) return false;
  return await options.elsewhere.isFor({ method: methodOf(request), path, values, message, peer });
}

function answerPlain(request: IncomingMessage, response: ServerResponse, path: string): void {
  request.resume();
  if (methodOf(request) !== "GET") return answerMethodNotAllowed(response, ["GET", "HEAD"]);
  const isHealth = path === "/health";
  answerText(
    response,
    200,
    `text/${isHealth ? "plain" : "html"}; charset=utf-8`,
    isHealth ? "OK" : servedMlflowVersion,
  );
}

/** What is left of a refused request is read and thrown away, for a while: see request-body.ts. */
function drainOrCut(request: IncomingMessage): void {
  let drained = 0;
  request.on("error", () => undefined);
  request.on("data", (chunk: Buffer) => {
    drained += chunk.length;
    if (drained > mostDrainedBytes) request.destroy();
  });
  request.resume();
}

const mostDrainedBytes = 256 * 1024 * 1024;

function answerRaw(socket: Socket, status: string, message: string): void {
  if (socket.writable) {
    const body = errorBody(new RequestRefusal(Number.parseInt(status, 10), new StoreError("BAD_REQUEST", message)));
    const head = `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}`;
    socket.write(`${head}\r\nConnection: close\r\n\r\n${body}`);
  }
  socket.destroySoon();
}
