import type { Readable } from "node:stream";
import type { ServerAccess } from "../entities/server-access.ts";
import type { StoreError } from "../errors.ts";
import { errorOfAnswer, isDefinite, notMlflow } from "./answer-errors.ts";
import { errorOfConnection, isCertificateFault } from "./connection-errors.ts";
import { isRetriedStatus, retryAfterMs, retryWaitMs } from "./retry-policy.ts";
import { Transport, type TransportAnswer } from "./transport.ts";

export interface HttpRequest {
  readonly method: "GET" | "POST" | "PATCH" | "PUT" | "DELETE";
  /** Below the server's URL, with its leading slash. */
  readonly path: string;
  /** Repeated names for lists. */
  readonly query?: readonly (readonly [string, string])[];
  readonly headers?: Readonly<Record<string, string>>;
  /** Made anew for each try. */
  readonly body?: () => string | Readable;
  /** False: one try only, whatever the settings are: the caller looks first whether it was done. */
  readonly mayRetry?: boolean;
}

export interface HttpClientOptions {
  /** A try failed, another follows. */
  readonly onRetry?: (error: StoreError, retryInMs: number, retry: number, maxRetries: number) => void;
}

/** A fault in the server's own code is rarely healed by asking again. */
const serverFaultRetries = 2;
const redirectsFollowed = 5;

/**
 * Requests to one server by MLflow's rules of authentication, time-outs and retries. Everything rejects with `StoreError`:
 * network faults, 5xx and 429 as `TEMPORARILY_UNAVAILABLE`, what MLflow refuses with its own code.
 */
export class HttpClient {
  readonly access: ServerAccess;
  readonly #options: HttpClientOptions;
  readonly #transport: Transport;
  readonly #origin: string;
  readonly #abort = new AbortController();

  constructor(access: ServerAccess, options: HttpClientOptions = {}) {
    this.access = access;
    this.#options = options;
    this.#transport = new Transport(access);
    this.#origin = new URL(access.url).origin;
  }

  /** The answer's JSON; an empty one is `{}`. */
  json(request: HttpRequest): Promise<unknown> {
    return this.#withRetries(request, async (answer) => {
      const text = await answer.body.text();
      const trimmed = text.trim();
      if (trimmed === "" || trimmed === "OK") return {};
      try {
        return JSON.parse(text) as unknown;
      } catch {
        throw notMlflow(this.#origin, text);
      }
    });
  }

  /** Hands the body of the answer to `take`, once more from its beginning where it was cut. */
  stream<Result>(request: HttpRequest, take: (body: Readable) => Promise<Result>): Promise<Result> {
    return this.#withRetries(request, (answer) => take(answer.body));
  }

  /** Requests under way, and all later ones, fail with `TEMPORARILY_UNAVAILABLE`. */
  abort(): void {
    this.#abort.abort();
  }

  async close(): Promise<void> {
    await this.#transport.close();
  }

  async #withRetries<Result>(
    request: HttpRequest,
    take: (answer: TransportAnswer) => Promise<Result>,
  ): Promise<Result> {
    const { retry } = this.access;
    const maxRetries = request.mayRetry === false ? 0 : retry.maxRetries;
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.#once(request, take);
      } catch (error) {
        const failure = errorOfConnection(this.#origin, error);
        const most = failure.isServerFault ? Math.min(maxRetries, serverFaultRetries) : maxRetries;
        const isOver = isDefinite(failure) || tries > most || this.#abort.signal.aborted;
        if (isOver || isCertificateFault(error)) throw failure;
        const waitMs = retryWaitMs(tries, retry, failure.retryAfterMs);
        this.#options.onRetry?.(failure, waitMs, tries, most);
        await this.#sleep(waitMs);
      }
    }
  }

  async #once<Result>(request: HttpRequest, take: (answer: TransportAnswer) => Promise<Result>): Promise<Result> {
    let url = this.#urlOf(request);
    for (let redirects = 0; ; redirects += 1) {
      const answer = await this.#send(request, url);
      if (answer.status >= 200 && answer.status < 300) return await take(answer);
      const next = redirects < redirectsFollowed ? this.#redirection(request, answer, url) : undefined;
      if (next === undefined) throw await this.#failure(answer);
      await answer.body.dump();
      url = next;
    }
  }

  #send(request: HttpRequest, url: URL): Promise<TransportAnswer> {
    const { authorization, workspace } = this.access;
    const body = request.body?.();
    return this.#transport.send({
      method: request.method,
      url,
      headers: {
        "user-agent": "track",
        ...(authorization !== undefined && { authorization }),
        ...(workspace !== undefined && { "x-mlflow-workspace": workspace }),
        ...request.headers,
      },
      ...(body !== undefined && { body }),
      signal: this.#abort.signal,
    });
  }

  #urlOf({ path, query = [] }: HttpRequest): URL {
    const url = new URL(`${this.access.url}${path}`);
    for (const [name, value] of query) url.searchParams.append(name, value);
    return url;
  }

  /** Only on the same host, which the credentials are meant for; a POST keeps its method, or is not sent again. */
  #redirection(request: HttpRequest, answer: TransportAnswer, from: URL): URL | undefined {
    const location = answer.header("location");
    if (!this.access.followRedirects || location === undefined) return undefined;
    const keepsMethod = answer.status === 307 || answer.status === 308;
    if (!keepsMethod && !(request.method === "GET" && [301, 302, 303].includes(answer.status))) return undefined;
    const to = URL.parse(location, from.href);
    const isSame = to?.origin === from.origin || (to?.hostname === from.hostname && to.protocol === "https:");
    return isSame && to !== null ? to : undefined;
  }

  async #failure(answer: TransportAnswer): Promise<StoreError> {
    const { status } = answer;
    const location = answer.header("location");
    const afterMs = isRetriedStatus(status) ? retryAfterMs(answer.header("retry-after"), Date.now()) : undefined;
    return errorOfAnswer({
      origin: this.#origin,
      status,
      text: await answer.body.text(),
      ...(location !== undefined && { location }),
      ...(afterMs !== undefined && { retryAfterMs: afterMs }),
    });
  }

  async #sleep(ms: number): Promise<void> {
    const { signal } = this.#abort;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(done, ms);
      signal.addEventListener("abort", done);
      function done(): void {
        clearTimeout(timer);
        signal.removeEventListener("abort", done);
        resolve();
      }
    });
  }
}
