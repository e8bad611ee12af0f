import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Readable } from "node:stream";
import type { Dispatcher } from "undici";
import type { ServerAccess, TlsSettings } from "../entities/server-access.ts";
import { StoreError } from "../errors.ts";
import { messageOf } from "../util/error-code.ts";
import { chooseProxy } from "./proxy-choice.ts";

/** One HTTP exchange, without retries. */
export interface TransportRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Readable;
  readonly signal: AbortSignal;
}

export interface TransportAnswer {
  readonly status: number;
  header(name: string): string | undefined;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Readable & { text(): Promise<string>; dump(): Promise<void> };
}

/** uvicorn closes idle connections after 5 s, and a request on its way then fails. */
const keepAliveMs = 3000;

/** Keep-alive connections to a server, through a proxy where one is set; the HTTP library is loaded at the first request. */
export class Transport {
  readonly #access: ServerAccess;
  readonly #dispatchers = new Map<string, Promise<Dispatcher>>();

  constructor(access: ServerAccess) {
    this.#access = access;
  }

  /** Rejects as the library does where no whole head of an answer came. */
  async send(request: TransportRequest): Promise<TransportAnswer> {
    const { url } = request;
    const dispatcher = await this.#dispatcherFor(url);
    const answer = await dispatcher.request({
      origin: url.origin,
      path: `${url.pathname}${url.search}`,
      method: request.method,
      headers: request.headers,
      body: request.body ?? null,
      signal: request.signal,
      headersTimeout: this.#access.timeoutMs,
      bodyTimeout: this.#access.timeoutMs,
    });
    return {
      status: answer.statusCode,
      headers: answer.headers,
      header: (name) => {
        const value = answer.headers[name];
        return typeof value === "string" ? value : value?.[0];
      },
      body: answer.body,
    };
  }

  /** Ends all connections; requests under way fail. */
  async close(): Promise<void> {
    const dispatchers = await Promise.allSettled(this.#dispatchers.values());
    this.#dispatchers.clear();
    for (const each of dispatchers) if (each.status === "fulfilled") await each.value.destroy();
  }

  #dispatcherFor(url: URL): Promise<Dispatcher> {
    const proxy = chooseProxy(url, this.#access.proxies);
    const key = proxy ?? "";
    const known = this.#dispatchers.get(key);
    if (known !== undefined) return known;
    const made = openDispatcher(this.#access, proxy);
    this.#dispatchers.set(key, made);
    return made;
  }
}

async function openDispatcher({ tls, timeoutMs }: ServerAccess, proxy: string | undefined): Promise<Dispatcher> {
  const { Agent, ProxyAgent } = await import("undici");
  const connect = { ...tlsOptions(tls), timeout: timeoutMs };
  const shared = { keepAliveTimeout: keepAliveMs, keepAliveMaxTimeout: keepAliveMs, allowH2: false };
  if (proxy === undefined) return new Agent({ ...shared, connect });
  if (URL.parse(proxy) === null) throw mistake(`not a proxy's URL: ${withoutUser(proxy)}`);
  return new ProxyAgent({ ...shared, uri: proxy, connectTimeout: timeoutMs, requestTls: connect, proxyTls: connect });
}

function tlsOptions({ authoritiesPath, clientCertificatePath, isInsecure }: TlsSettings) {
  const certificate = clientCertificatePath === undefined ? undefined : readPem(clientCertificatePath);
  return {
    rejectUnauthorized: !isInsecure,
    ...(authoritiesPath !== undefined && { ca: readAuthorities(authoritiesPath) }),
    ...(certificate !== undefined && { cert: certificate, key: certificate }),
  };
}

function readAuthorities(path: string): string[] {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) return [readPem(path)];
  const files = readdirSync(path).map((name) => join(path, name));
  return files.filter((file) => statSync(file, { throwIfNoEntry: false })?.isFile() === true).map(readPem);
}

function readPem(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw mistake(`the certificate cannot be read: ${messageOf(error)}`);
  }
}

const mistake = (message: string): StoreError => new StoreError("INVALID_PARAMETER_VALUE", message);

const withoutUser = (uri: string): string => uri.replace(/\/\/[^/@]*@/u, "//***@");
