import { StoreError } from "../../errors.ts";
import type { HttpClient } from "../../http/http-client.ts";
import { isJsonObject, type JsonObject } from "../../wire/rest-json-values.ts";

/** Lists repeat their name. */
type Query = Readonly<Record<string, string | number | readonly string[] | undefined>>;

export interface PostOptions {
  /** False: tried once only, since a second call would do it a second time. */
  readonly mayRetry?: boolean;
  readonly method?: "POST" | "PATCH" | "DELETE";
}

/** MLflow's tracking API below `/api/2.0/mlflow/`. Rejects with `StoreError`. */
export class RestApi {
  readonly client: HttpClient;

  constructor(client: HttpClient) {
    this.client = client;
  }

  async get(path: string, query: Query = {}): Promise<JsonObject> {
    return toObject(await this.client.json({ method: "GET", path: pathOf(path), query: toPairs(query) }));
  }

  /** Fields that are `undefined` are left out. */
  async post(path: string, message: JsonObject, options: PostOptions = {}): Promise<JsonObject> {
    return await this.postText(path, JSON.stringify(message), options);
  }

  /** The same with the message's JSON ready made. */
  async postText(
    path: string,
    json: string,
    { mayRetry = true, method = "POST" }: PostOptions = {},
  ): Promise<JsonObject> {
    const answer = await this.client.json({
      method,
      path: pathOf(path),
      headers: { "content-type": "application/json" },
      body: () => json,
      mayRetry,
    });
    return toObject(answer);
  }

  async delete(path: string): Promise<void> {
    await this.client.json({ method: "DELETE", path: pathOf(path) });
  }
}

const pathOf = (path: string): string => `/api/2.0/mlflow/${path}`;

function toPairs(query: Query): readonly (readonly [string, string])[] {
  return Object.entries(query).flatMap(([name, value]) => {
    const values = typeof value === "object" ? value : value === undefined ? [] : [String(value)];
    return values.map((each) => [name, each] as const);
  });
}

function toObject(value: unknown): JsonObject {
  if (isJsonObject(value)) return value;
  throw new StoreError(
    "TEMPORARILY_UNAVAILABLE",
    "the server does not answer as an MLflow server does: no JSON object",
  );
}
