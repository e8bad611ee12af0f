import { expect, test } from "vitest";
import { isRetriedStatus, retryAfterMs, retryWaitMs } from "../../src/http/retry-policy.ts";

const settings = { maxRetries: 7, backoffFactorSeconds: 2, jitterSeconds: 0, respectRetryAfter: true };

test("MLflow's waits: at once, then 4, 8, 16, 32, 64 and 120 s", () => {
  const waits = [1, 2, 3, 4, 5, 6, 7].map((n) => retryWaitMs(n, settings));
  expect(waits).toEqual([0, 4000, 8000, 16_000, 32_000, 64_000, 120_000]);
});

test("jitter adds up to its seconds", () => {
  for (let tries = 0; tries < 50; tries += 1) {
    const wait = retryWaitMs(2, { ...settings, jitterSeconds: 1 });
    expect(wait).toBeGreaterThanOrEqual(4000);
    expect(wait).toBeLessThan(5000);
  }
});

test("what the server asks for wins, unless it is not respected", () => {
  expect(retryWaitMs(3, settings, 1500)).toBe(1500);
  expect(retryWaitMs(3, { ...settings, respectRetryAfter: false }, 1500)).toBe(8000);
});

test("Retry-After is seconds or a date", () => {
  expect(retryAfterMs("3", 0)).toBe(3000);
  expect(retryAfterMs("Thu, 01 Jan 1970 00:00:05 GMT", 1000)).toBe(4000);
  expect(retryAfterMs("Thu, 01 Jan 1970 00:00:05 GMT", 9000)).toBe(0);
  expect(retryAfterMs("soon", 0)).toBeUndefined();
  expect(retryAfterMs(undefined, 0)).toBeUndefined();
});

test("the statuses that MLflow's client tries again", () => {
  expect([400, 401, 404, 408, 409, 429, 500, 501, 502, 503, 504].filter(isRetriedStatus)).toEqual([
    408, 429, 500, 502, 503, 504,
  ]);
});
