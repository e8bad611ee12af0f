import { restCalls } from "../interop/rest-calls.ts";
import { seededRandom } from "../store/search-data.ts";

/** MLflow's own answers beyond 200 and 4xx: what needs a cloud store, and two mistakes that it counts as the server's. */
export const documentedFaults: readonly RegExp[] = [
  /^501 .*"NOT_IMPLEMENTED"/u,
  /^500 .*"INTERNAL_ERROR".*cannot archive existing model versions/u,
  /^500 .*"INVALID_STATE".*Cannot rename a non-active experiment/u,
];

export interface Generated {
  readonly path: string;
  readonly init: {
    readonly method: string;
    readonly headers: Record<string, string>;
    readonly body?: Buffer<ArrayBuffer>;
  };
}

/** Requests of the known calls with fields dropped, swapped, or filled with what nobody should send; the same for the same seed. */
export function requestGenerator(seed: number): (() => Generated) & { learn(answer: { readonly text: string }): void } {
  const random = seededRandom(seed);
  const pick = <Item>(items: readonly Item[]): Item => items[Math.floor(random() * items.length)] as Item;
  const ids: string[] = ["0", "1", "2"];
  const oddTexts = [
    "",
    ".",
    "..",
    "a/../b",
    "x".repeat(5000),
    "\0",
    "ü\ud800",
    "%2e%2e",
    "'; DROP TABLE runs; --",
    "NaN",
    "1e999",
    "a b:c-d.e/f",
  ];
  const odd = (): unknown =>
    pick([
      null,
      true,
      0,
      -1,
      1.5,
      1e308,
      2 ** 53,
      2 ** 63,
      [],
      {},
      [null],
      [[]],
      [{}],
      { key: {} },
      "text",
      pick(oddTexts),
      pick(ids),
    ]);
  const mangle = (value: unknown, depth = 0): unknown => {
    if (random() < 0.12) return odd();
    if (Array.isArray(value)) return value.slice(0, 5).map((item) => mangle(item, depth + 1));
    if (typeof value === "object" && value !== null) {
      const kept = Object.entries(value).filter(() => random() > 0.05);
      return Object.fromEntries(kept.map(([key, item]) => [key, mangle(item, depth + 1)]));
    }
    return typeof value === "string" ? value.replaceAll(/\{\w+\}/gu, () => pick(ids)) : value;
  };
  const generate = (): Generated => {
    const call = pick(restCalls);
    const [method = "GET", rest = ""] = call.call.split(" ");
    const path = rest.replaceAll(/\{\w+\}/gu, () => encodeURIComponent(pick([...ids, pick(oddTexts)]).toWellFormed()));
    const query = new URLSearchParams();
    for (const [key, values] of Object.entries(call.query ?? {})) {
      for (const value of typeof values === "string" ? [values] : values) {
        const mangled = mangle(value);
        query.append(key, typeof mangled === "string" ? mangled.toWellFormed() : JSON.stringify(mangled));
      }
    }
    const text = call.raw?.text ?? (call.body === undefined ? undefined : JSON.stringify(mangle(call.body)));
    const broken = text !== undefined && random() < 0.03 ? text.slice(0, Math.floor(random() * text.length)) : text;
    const where = path.startsWith("/") ? path : `/api/2.0/mlflow/${path}`;
    const suffix = query.size === 0 ? "" : `?${query.toString()}`;
    const hasBody = broken !== undefined && method !== "GET";
    return {
      path: where + suffix,
      init: {
        method: random() < 0.02 ? "DELETE" : method,
        headers: { "Content-Type": random() < 0.02 ? "text/plain" : "application/json" },
        ...(hasBody && { body: Buffer.from(broken) }),
      },
    };
  };
  return Object.assign(generate, {
    learn({ text }: { readonly text: string }) {
      for (const [id] of text.matchAll(/\b(?:m-)?[0-9a-f]{32}\b/gu))
        if (ids.length < 40 && !ids.includes(id)) ids.push(id);
    },
  });
}
