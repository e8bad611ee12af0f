import type { IncomingMessage, ServerResponse } from "node:http";
import type { JsonObject } from "../wire/rest-json.ts";
import type { ServedStores } from "./served-stores.ts";

/** What a route gets besides the message. */
export interface Call {
  readonly stores: ServedStores;
  /** The variable parts of the path, decoded. */
  readonly path: Readonly<Record<string, string>>;
}

/** Takes a message and gives one; nothing stands for `{}`. What it throws is answered in MLflow's form. */
export type MessageRoute = (message: JsonObject, call: Call) => Promise<JsonObject | undefined | void>;

/** Reads the request's body and writes the response itself. */
export type StreamRoute = (
  request: IncomingMessage,
  response: ServerResponse,
  call: Call & { readonly query: URLSearchParams },
) => Promise<void>;

export type Route =
  | { readonly kind: "message"; readonly handle: MessageRoute }
  | { readonly kind: "stream"; readonly handle: StreamRoute };

/** `METHOD /path` below `/api/2.0/mlflow`, variable parts in braces; several methods are joined by a comma. */
export type MessageRoutes = Readonly<Record<string, MessageRoute>>;
