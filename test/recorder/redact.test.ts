import { expect, it } from "vitest";
import type { StoreOperation } from "../../src/entities/journal-entry.ts";
import { maskOperation } from "../../src/recorder/redact.ts";
import { createMasker } from "../../src/wire/redact.ts";

const masker = createMasker({ MY_TOKEN: "value-of-secret" }, { enabled: true });
const secret = { key: "note", value: "a value-of-secret b" };
const masked = { key: "note", value: "a *** b" };
const plain = { key: "lr", value: "0.1" };
const dataset = { name: "d", digest: "1", sourceType: "http", source: '{"url": "https://u:p@h/x"}' };
const model = { op: "create-logged-model", modelId: "m", experimentId: "0" } as const;

const cases: [StoreOperation, StoreOperation][] = [
  [
    { op: "log-batch", runId: "r", params: [plain, { key: "api_key", value: "x" }] },
    { op: "log-batch", runId: "r", params: [plain, { key: "api_key", value: "***" }] },
  ],
  [
    { op: "log-batch", runId: "r", tags: [secret], metrics: [["loss", 1, 2, 3]] },
    { op: "log-batch", runId: "r", tags: [masked], metrics: [["loss", 1, 2, 3]] },
  ],
  [
    { op: "create-experiment", name: "e", tags: [secret] },
    { op: "create-experiment", name: "e", tags: [masked] },
  ],
  [
    { op: "set-experiment-tag", experimentId: "0", ...secret },
    { op: "set-experiment-tag", experimentId: "0", ...masked },
  ],
  [
    { ...model, params: [secret], tags: [secret] },
    { ...model, params: [masked], tags: [masked] },
  ],
  [
    { op: "log-logged-model-params", modelId: "m", params: [secret] },
    { op: "log-logged-model-params", modelId: "m", params: [masked] },
  ],
  [
    { op: "set-logged-model-tags", modelId: "m", tags: [secret] },
    { op: "set-logged-model-tags", modelId: "m", tags: [masked] },
  ],
  [
    { op: "log-inputs", runId: "r", modelIds: [], datasets: [{ dataset, tags: [secret] }] },
    {
      op: "log-inputs",
      runId: "r",
      modelIds: [],
      datasets: [{ dataset: { ...dataset, source: '{"url": "https://***@h/x"}' }, tags: [masked] }],
    },
  ],
];

it.each(cases)("%j", (operation, expected) => {
  expect(maskOperation(masker, operation)).toEqual(expected);
  expect(maskOperation(masker, expected)).toBe(expected);
  expect(maskOperation(createMasker({}, { enabled: false }), operation)).toBe(operation);
});

it("leaves the rest alone", () => {
  const operation: StoreOperation = { op: "log-batch", runId: "value-of-secret", params: [plain] };
  expect(maskOperation(masker, operation)).toBe(operation);
  const rename: StoreOperation = { op: "update-run", runId: "r", runName: "value-of-secret" };
  expect(maskOperation(masker, rename)).toBe(rename);
});
