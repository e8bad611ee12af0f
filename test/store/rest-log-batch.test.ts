import { expect, test } from "vitest";
import { batchMessages } from "../../src/store/rest/log-batch.ts";
import type { LogBatchRequest } from "../../src/store/tracking-store.ts";
import { point } from "./tracking-store-contract.ts";

interface Message {
  readonly run_id: string;
  readonly metrics?: readonly { readonly key: string; readonly value: unknown }[];
  readonly params?: readonly { readonly key: string; readonly value: string }[];
  readonly tags?: readonly { readonly key: string; readonly value: string }[];
}
const messagesOf = (request: LogBatchRequest) =>
  Array.from(batchMessages("r", request), (json) => JSON.parse(json) as Message);
const pairs = (count: number, value = "v") =>
  Array.from({ length: count }, (_, index) => ({ key: `k${index}`, value }));
const sizes = (messages: readonly Message[]) =>
  messages.map(({ params, metrics, tags }) => [params?.length ?? 0, metrics?.length ?? 0, tags?.length ?? 0]);

test("what fits is one message, an empty batch none", () => {
  const request = { metrics: [point("m", Number.NaN)], params: pairs(1), tags: pairs(2) };
  expect(messagesOf(request)).toEqual([
    {
      run_id: "r",
      params: [{ key: "k0", value: "v" }],
      metrics: [{ key: "m", value: "NaN", timestamp: 1, step: 0 }],
      tags: pairs(2),
    },
  ]);
  expect(messagesOf({})).toEqual([]);
});

test("no message is over a limit, and params come before metrics before tags", () => {
  const metrics = Array.from({ length: 2500 }, (_, index) => point("m", index));
  const messages = messagesOf({ params: pairs(250), metrics, tags: pairs(150) });
  expect(sizes(messages)).toEqual([
    [100, 0, 0],
    [100, 0, 0],
    [50, 950, 0],
    [0, 1000, 0],
    [0, 550, 100],
    [0, 0, 50],
  ]);
  expect(messages.flatMap((message) => message.metrics?.map(({ value }) => value) ?? [])).toEqual(
    metrics.map(({ value }) => value),
  );
});

test("no body is over a megabyte", () => {
  const long = "\u{1F600}".repeat(6000);
  const bodies = Array.from(batchMessages("r", { params: pairs(100, long) }));
  expect(bodies.length).toBeGreaterThan(2);
  for (const body of bodies) expect(Buffer.byteLength(body)).toBeLessThanOrEqual(1_000_000);
  expect(bodies.flatMap((body) => (JSON.parse(body) as Message).params)).toHaveLength(100);
});

test("a repeated param is said once, one that differs twice; the last value of a tag alone", () => {
  const params = [...pairs(2), ...pairs(1), { key: "k0", value: "other" }];
  const [message] = messagesOf({ params, tags: [...pairs(1, "old"), ...pairs(1, "new")] });
  expect(message?.params).toEqual([...pairs(2), { key: "k0", value: "other" }]);
  expect(message?.tags).toEqual(pairs(1, "new"));
});
