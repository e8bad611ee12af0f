import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { LocalStreamedArtifacts } from "../../src/artifacts/local-streamed-artifacts.ts";
import { createRestHandler, limitServer, type RestServerOptions } from "../../src/server/rest-server.ts";
import { openSqliteStore, type SqliteStore } from "../../src/store/sqlite/sqlite-store.ts";

export interface Answer {
  readonly status: number;
  readonly contentType: string | null;
  readonly text: string;
  /** The text as JSON; `undefined` for anything else. */
  readonly body: unknown;
}

export interface RestRigOptions extends Partial<RestServerOptions> {
  readonly idleTimeoutMs?: number;
  /** Where a new database has its artifacts; default: `mlruns` beside it. */
  readonly artifactRoot?: string;
}

/** Our REST server on 127.0.0.1 over a real SQLite database, with its artifacts in `mlartifacts` beside it. */
export class RestRig implements AsyncDisposable {
  readonly folder: string;
  readonly store: SqliteStore;
  readonly url: string;
  readonly port: number;
  readonly faults: unknown[];
  readonly unsupported: string[];
  readonly #server: Server;

  private constructor(
    folder: string,
    store: SqliteStore,
    server: Server,
    told: { faults: unknown[]; unsupported: string[] },
  ) {
    this.folder = folder;
    this.store = store;
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
    this.url = `http://127.0.0.1:${this.port}`;
    this.faults = told.faults;
    this.unsupported = told.unsupported;
  }

  static async start({ idleTimeoutMs, artifactRoot, ...options }: RestRigOptions = {}): Promise<RestRig> {
    const home = mkdtempSync(join(tmpdir(), "track-server-"));
    const place = artifactRoot === undefined ? {} : { artifactRoot };
    const store = await openSqliteStore(join(home, "mlflow.db"), { mode: "write", ...place });
    const registry = await store.openRegistry();
    const artifactProxy = new LocalStreamedArtifacts(join(home, "mlartifacts"));
    const stores = {
      tracking: store,
      registry,
      openArtifacts: (uri: string) => Promise.resolve(openArtifacts(uri, home)),
      artifactProxy,
    };
    const told = { faults: [] as unknown[], unsupported: [] as string[] };
    const handler = createRestHandler({
      storesFor: () => stores,
      onFault: (error) => told.faults.push(error),
      onUnsupported: (path) => told.unsupported.push(path),
      ...options,
    });
    const server = createServer(handler);
    limitServer(server, idleTimeoutMs === undefined ? {} : { idleTimeoutMs });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new RestRig(home, store, server, told);
  }

  /** Below `/api/2.0/mlflow/`. */
  get(path: string, query: Readonly<Record<string, string>> = {}): Promise<Answer> {
    const text = new URLSearchParams(query).toString();
    return this.ask(`/api/2.0/mlflow/${path}${text === "" ? "" : `?${text}`}`);
  }

  /** Below `/api/2.0/mlflow/`; `method` is POST where none is named. */
  post(path: string, body: unknown, method = "POST"): Promise<Answer> {
    const headers = { "Content-Type": "application/json" };
    return this.ask(`/api/2.0/mlflow/${path}`, { method, headers, body: JSON.stringify(body) });
  }

  /** Open connections of clients. */
  async connections(): Promise<number> {
    return promisify(this.#server.getConnections.bind(this.#server))();
  }

  async ask(path: string, init: RequestInit = {}): Promise<Answer> {
    return toAnswer(await fetch(this.url + path, init));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await this.store[Symbol.asyncDispose]();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export async function toAnswer(response: Response): Promise<Answer> {
  const text = await response.text();
  return { status: response.status, contentType: response.headers.get("content-type"), text, body: parse(text) };
}

function openArtifacts(uri: string, home: string): LocalStreamedArtifacts {
  const proxied = /^mlflow-artifacts:\/+(.*)$/u.exec(uri)?.[1];
  return new LocalStreamedArtifacts(proxied === undefined ? uri : join(home, "mlartifacts", proxied));
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
