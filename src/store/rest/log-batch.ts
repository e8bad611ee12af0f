import { limits } from "../../entities/limits.ts";
import { metricToJson, pairToJson } from "../../wire/rest-json.ts";
import type { LogBatchRequest } from "../tracking-store.ts";
import type { RestApi } from "./rest-api.ts";

/** MLflow's limit for the body of one call. */
const maxBodyBytes = 1_000_000;
/** What stands around the items. */
const envelopeBytes = 200;

type Kind = "params" | "metrics" | "tags";

const perCall: Readonly<Record<Kind, number>> = {
  params: limits.paramsPerBatch,
  metrics: limits.metricsPerBatch,
  tags: limits.tagsPerBatch,
};

/** In as few calls as MLflow's limits allow, params first and tags last. A param that differs stops all that would come behind it. */
export async function logBatch(api: RestApi, runId: string, request: LogBatchRequest): Promise<void> {
  for (const json of batchMessages(runId, request)) await api.postText("runs/log-batch", json);
}

/** The JSON messages of a batch of any size. */
export function* batchMessages(runId: string, request: LogBatchRequest): Generator<string> {
  let message = new Message(runId);
  for (const [kind, json] of itemsOf(request)) {
    if (!message.hasRoomFor(kind, json)) {
      yield message.toJson();
      message = new Message(runId);
    }
    message.add(kind, json);
  }
  if (!message.isEmpty) yield message.toJson();
}

/** In the order in which a server writes them. One message must not name a param or a tag twice. */
function* itemsOf({ metrics = [], params = [], tags = [] }: LogBatchRequest): Generator<readonly [Kind, string]> {
  const said = new Map<string, Set<string>>();
  for (const param of params) {
    const values = said.get(param.key) ?? new Set();
    said.set(param.key, values);
    if (!values.has(param.value)) yield ["params", JSON.stringify(pairToJson(param))];
    values.add(param.value);
  }
  for (const metric of metrics) yield ["metrics", JSON.stringify(metricToJson(metric))];
  const last = new Map(tags.map((tag) => [tag.key, tag]));
  for (const tag of last.values()) yield ["tags", JSON.stringify(pairToJson(tag))];
}

class Message {
  readonly #runId: string;
  readonly #items: Record<Kind, string[]> = { params: [], metrics: [], tags: [] };
  #count = 0;
  #bytes = envelopeBytes;

  constructor(runId: string) {
    this.#runId = runId;
  }

  get isEmpty(): boolean {
    return this.#count === 0;
  }

  hasRoomFor(kind: Kind, json: string): boolean {
    if (this.isEmpty) return true;
    const bytes = this.#bytes + Buffer.byteLength(json) + 1;
    return this.#count < limits.itemsPerBatch && this.#items[kind].length < perCall[kind] && bytes <= maxBodyBytes;
  }

  add(kind: Kind, json: string): void {
    this.#items[kind].push(json);
    this.#count += 1;
    this.#bytes += Buffer.byteLength(json) + 1;
  }

  toJson(): string {
    const lists = Object.entries(this.#items).filter(([, items]) => items.length > 0);
    const fields = lists.map(([kind, items]) => `,"${kind}":[${items.join(",")}]`);
    return `{"run_id":${JSON.stringify(this.#runId)}${fields.join("")}}`;
  }
}
