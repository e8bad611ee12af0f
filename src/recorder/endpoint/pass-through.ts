import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { ServerAccess } from "../../entities/server-access.ts";
import { isTransient } from "../../errors.ts";
import { isBeforeSending } from "../../http/connection-errors.ts";
import { Forwarder } from "../../http/forwarder.ts";
import type { TransportAnswer } from "../../http/transport.ts";
import { readBody } from "../../server/request-body.ts";
import { monotonicMs } from "../../util/monotonic.ts";
import type { ClientIds } from "./client-ids.ts";
import { serverAway } from "./server-away.ts";

export interface PassThroughOptions {
  readonly access: ServerAccess;
  readonly ids: ClientIds;
}

export interface Passed {
  /** Path and query; default: the request's own. */
  readonly url?: string;
  /** Where the request's body is read already. */
  readonly body?: string;
}

/** A server that is away is asked again for so long. */
const patienceMs = 5000;
const retryMs = 250;
/** A silent server is asked whether it lives: some questions take it long. */
const healthTimeoutMs = 2000;
const maxTextBytes = 64 * 1024 * 1024;
/** What proxies and overloaded servers say of themselves; MLflow's clients would try for minutes. */
const awayStatuses = [408, 429, 500, 502, 503, 504];

/** Requests that are the server's to answer: passed on with the user's credentials, ids changed on both ways, files streamed. */
export class PassThrough {
  readonly #forwarder: Forwarder;
  readonly #ids: ClientIds;

  constructor({ access, ids }: PassThroughOptions) {
    this.#forwarder = new Forwarder(access);
    this.#ids = ids;
  }

  async answer(request: IncomingMessage, response: ServerResponse, passed: Passed = {}): Promise<void> {
    const body = passed.body ?? (await this.#textOf(request));
    const gone = new AbortController();
    response.once("close", () => gone.abort());
    const answer = await this.#send(request, {
      path: this.#ids.textToStore(passed.url ?? request.url ?? "/"),
      body: body === undefined ? undefined : this.#ids.textToStore(body),
      signal: gone.signal,
    });
    await this.#copy(answer, response);
  }

  close(): Promise<void> {
    return this.#forwarder.close();
  }

  /** A message, in which ids are to be changed; `undefined` for a file, or what is too long for a message. */
  async #textOf(request: IncomingMessage): Promise<string | undefined> {
    const { headers, method = "GET" } = request;
    const length = Number(headers["content-length"] ?? 0);
    const hasBody = length > 0 || headers["transfer-encoding"] !== undefined;
    if (!hasBody) return method === "GET" || method === "HEAD" ? undefined : "";
    const isMessage = headers["content-type"]?.startsWith("application/json") === true && length <= maxTextBytes;
    return isMessage ? await readBody(request, maxTextBytes) : undefined;
  }

  /** What is only read, or cannot have arrived, is asked again for a while. */
  async #send(request: IncomingMessage, sent: Sent): Promise<TransportAnswer> {
    const { method = "GET" } = request;
    const isFile = sent.body === undefined && method !== "GET" && method !== "HEAD";
    const deadline = monotonicMs() + patienceMs;
    const isReadOnly = isReading(method, sent.path);
    for (;;) {
      const failure = await this.#tryOnce(request, sent, isFile);
      if ("answer" in failure) return failure.answer;
      const mayRepeat = !isFile && (isReadOnly || failure.isUndone) && !sent.signal.aborted;
      if (!mayRepeat || monotonicMs() >= deadline) throw serverAway(failure.reason);
      await sleep(retryMs);
    }
  }

  async #tryOnce(
    request: IncomingMessage,
    sent: Sent,
    isFile: boolean,
  ): Promise<{ answer: TransportAnswer } | Failure> {
    try {
      const answer = await this.#sendOnce(request, sent, isFile);
      if (!awayStatuses.includes(answer.status)) return { answer };
      const text = await answer.body.text();
      const isUndone = answer.status === 429 || answer.status === 503;
      return { reason: `it answers ${answer.status} ${text.slice(0, 500)}`, isUndone };
    } catch (error) {
      if (!isTransient(error)) throw error;
      return { reason: error, isUndone: isBeforeSending(error instanceof Error ? error.cause : undefined) };
    }
  }

  async #sendOnce(request: IncomingMessage, { path, body, signal }: Sent, isFile: boolean): Promise<TransportAnswer> {
    const { method = "GET" } = request;
    const content: string | Readable | undefined = isFile ? request : body === "" ? undefined : body;
    const headers = passedHeaders(request.headers, isFile);
    const asked = this.#forwarder.send({
      method,
      path,
      headers,
      signal,
      ...(content !== undefined && { body: content }),
    });
    return await (isFile ? asked : this.#whileAlive(asked));
  }

  /** Gives up on a server that answers neither this nor whether it lives. */
  async #whileAlive(asked: Promise<TransportAnswer>): Promise<TransportAnswer> {
    asked.catch(() => {});
    for (;;) {
      const answer = await Promise.race([asked, sleep(patienceMs, undefined)]);
      if (answer !== undefined) return answer;
      await this.#checkHealth();
    }
  }

  async #checkHealth(): Promise<void> {
    const signal = AbortSignal.timeout(healthTimeoutMs);
    const answer = await this.#forwarder.send({ method: "GET", path: "/health", headers: {}, signal });
    await answer.body.dump();
  }

  async #copy(answer: TransportAnswer, response: ServerResponse): Promise<void> {
    const headers = answeredHeaders(answer);
    if (answer.header("content-type")?.startsWith("application/json") === true && !isAttachment(answer)) {
      const text = Buffer.from(this.#ids.textToClient(await answer.body.text()));
      response.writeHead(answer.status, { ...headers, "content-length": text.length });
      response.end(text);
      return;
    }
    response.writeHead(answer.status, headers);
    try {
      await pipeline(answer.body, response);
    } catch (error) {
      // The status line is out: the cut connection says it.
      if (!(error instanceof Error)) throw error;
      response.destroy();
    }
  }
}

interface Failure {
  readonly reason: unknown;
  /** The server has not done it. */
  readonly isUndone: boolean;
}

interface Sent {
  readonly path: string;
  readonly body: string | undefined;
  readonly signal: AbortSignal;
}

const isReading = (method: string, path: string): boolean =>
  method === "GET" || method === "HEAD" || /\/(?:search|get-latest-versions|search-[a-z]+)(?:\?|$)/u.test(path);

/** Between two hops, or about who asks: the server is another one, and knows the user by other credentials. */
const unpassed = new Set(
  (
    "host authorization cookie origin referer connection keep-alive proxy-authorization proxy-connection te trailer " +
    "transfer-encoding upgrade expect accept-encoding x-mlflow-workspace"
  ).split(" "),
);

function passedHeaders(headers: IncomingHttpHeaders, isFile: boolean): Record<string, string> {
  const passed: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    // A message may have another length with other ids in it.
    if (unpassed.has(name) || (name === "content-length" && !isFile) || value === undefined) continue;
    passed[name] = Array.isArray(value) ? value.join(", ") : value;
  }
  return passed;
}

function answeredHeaders({ headers }: TransportAnswer): Record<string, string | string[]> {
  const kept = Object.entries(headers).filter(
    ([name, value]) =>
      value !== undefined &&
      !["connection", "keep-alive", "transfer-encoding", "set-cookie", "content-length"].includes(name),
  );
  const length = headers["content-length"];
  return {
    ...(Object.fromEntries(kept) as Record<string, string>),
    ...(length !== undefined && { "content-length": length }),
  };
}

const isAttachment = (answer: TransportAnswer): boolean =>
  answer.header("content-disposition")?.startsWith("attachment") === true;
