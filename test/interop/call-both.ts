import { toAnswer } from "../server/rest-rig.ts";
import type { RestCall } from "./rest-calls.ts";

/** What matters of an answer. `body`: JSON with ids, times and tokens made equal, else the text. */
export interface ComparedAnswer {
  readonly status: number;
  readonly contentType: string | null;
  readonly body: unknown;
}

/** Makes calls to one server, remembering what later calls need. */
export class RestCaller {
  readonly #url: string;
  readonly #kept = new Map<string, string>();
  readonly #ids = new Map<string, string>();

  constructor(url: string) {
    this.#url = url;
  }

  async make({ call, query = {}, body, raw, keep = {} }: RestCall): Promise<ComparedAnswer> {
    const [method = "GET", path = ""] = this.#fill(call).split(" ");
    const url = new URL(this.#url + (path.startsWith("/") ? path : `/api/2.0/mlflow/${path}`));
    for (const [key, values] of Object.entries(query)) {
      for (const value of typeof values === "string" ? [values] : values)
        url.searchParams.append(key, this.#fill(value));
    }
    const text = raw === undefined ? (body === undefined ? undefined : JSON.stringify(body)) : raw.text;
    const contentType = raw === undefined ? "application/json" : raw.contentType;
    const response = await fetch(url, {
      method,
      headers: text === undefined || contentType === undefined ? {} : { "Content-Type": contentType },
      ...(text !== undefined && { body: Buffer.from(this.#fill(text)) }),
    });
    const answer = await toAnswer(response);
    for (const [name, steps] of Object.entries(keep)) this.#kept.set(name, String(follow(answer.body, steps)));
    return {
      status: answer.status,
      contentType: answer.contentType?.split(";")[0]?.trim() ?? null,
      body: answer.body === undefined ? this.#sameIds(answer.text) : this.#normalize(answer.body, answer.status),
    };
  }

  #fill(text: string): string {
    return text.replaceAll(/\{(\w+)\}/gu, (whole, name: string) => this.#kept.get(name) ?? whole);
  }

  #normalize(value: unknown, status: number, key = ""): unknown {
    if (Array.isArray(value))
      return value.map((item) => this.#normalize(item, status)).toSorted(key === "" ? asIs : byKey);
    if (typeof value === "object" && value !== null) {
      const entries = Object.entries(value).map(([name, item]) => [name, this.#normalize(item, status, name)]);
      return Object.fromEntries(entries) as unknown;
    }
    if (/^(?:creation_time|last_update_time|(?:creation|last_updated)_timestamp(?:_ms)?)$/u.test(key)) return "<time>";
    if (key === "next_page_token") return "<token>";
    // What went wrong is said in each server's own words.
    if (key === "message" && status !== 200) return "<message>";
    return typeof value === "string" ? this.#sameIds(value) : value;
  }

  #sameIds(text: string): string {
    return text.replaceAll(/\b(?:m-)?[0-9a-f]{32}\b/gu, (id) => {
      if (/0123456789abcdef0123456789abcdef/u.test(id)) return id;
      const name = this.#ids.get(id) ?? `<id ${this.#ids.size}>`;
      this.#ids.set(id, name);
      return name;
    });
  }
}

const asIs = (): number => 0;

/** Tags, params, the latest versions of a model and metrics come in no particular order. */
function byKey(a: unknown, b: unknown): number {
  return keyOf(a) < keyOf(b) ? -1 : keyOf(a) > keyOf(b) ? 1 : 0;
}

function keyOf(item: unknown): string {
  if (typeof item !== "object" || item === null || "step" in item) return "";
  return "key" in item ? String(item.key) : "current_stage" in item ? String(item.current_stage) : "";
}

function follow(body: unknown, steps: readonly string[]): unknown {
  let value: unknown = body;
  for (const step of steps) value = (value as Record<string, unknown> | undefined)?.[step];
  return value;
}
