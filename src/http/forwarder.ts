import type { Readable } from "node:stream";
import type { ServerAccess } from "../entities/server-access.ts";
import { errorOfConnection } from "./connection-errors.ts";
import { Transport, type TransportAnswer } from "./transport.ts";

export interface ForwardRequest {
  readonly method: string;
  /** Path and query below the server's URL, with the leading slash. */
  readonly path: string;
  /** Nothing that names who asks: credentials are added here. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Readable;
  readonly signal: AbortSignal;
}

/** Passes requests on to one server as they are, with its credentials and none else. Nothing is tried twice, no redirection followed. */
export class Forwarder {
  readonly #access: ServerAccess;
  readonly #transport: Transport;

  constructor(access: ServerAccess) {
    this.#access = access;
    this.#transport = new Transport(access);
  }

  /** Any answer of the server's. Rejects with `TEMPORARILY_UNAVAILABLE`, the cause in it, where none came. */
  async send({ path, headers, ...request }: ForwardRequest): Promise<TransportAnswer> {
    const { url, authorization, workspace } = this.#access;
    try {
      return await this.#transport.send({
        ...request,
        url: new URL(`${url}${path}`),
        headers: {
          ...headers,
          ...(authorization !== undefined && { authorization }),
          ...(workspace !== undefined && { "x-mlflow-workspace": workspace }),
        },
      });
    } catch (error) {
      throw errorOfConnection(new URL(url).origin, error);
    }
  }

  /** Ends all connections; requests under way fail. */
  close(): Promise<void> {
    return this.#transport.close();
  }
}
