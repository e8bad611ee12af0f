import { expect, test } from "vitest";
import { StoreError } from "../../src/errors.ts";
import { isWorthWaiting, retryDelayMs } from "../../src/journal/backoff.ts";

const away = (retryAfterMs?: number) =>
  new StoreError("TEMPORARILY_UNAVAILABLE", "away", { ...(retryAfterMs !== undefined && { retryAfterMs }) });
const delays = (error: unknown, ...attempts: number[]) => attempts.map((attempt) => retryDelayMs(error, attempt));
const between = (low: number, high: number) => (value: number) => value >= low && value <= high;

test("waits double from 50 ms to 2 s, and to 10 s in a long outage", () => {
  const [first = 0, third = 0, tenth = 0, late = 0] = delays(away(), 1, 3, 10, 100);
  expect(first).toSatisfy(between(50, 63));
  expect(third).toSatisfy(between(200, 250));
  expect(tenth).toSatisfy(between(2000, 2500));
  expect(late).toSatisfy(between(10_000, 12_500));
});

test("a server is not asked earlier than it wants to be, within 30 s", () => {
  expect(retryDelayMs(away(5000), 1)).toSatisfy(between(5000, 6250));
  expect(retryDelayMs(away(3_600_000), 1)).toSatisfy(between(30_000, 37_500));
});

test("what is worth waiting for", () => {
  const error = (code: "PERMISSION_DENIED" | "UNAUTHENTICATED" | "INVALID_PARAMETER_VALUE") =>
    new StoreError(code, "x");
  expect(isWorthWaiting(away(), { op: "log-batch" })).toBe(true);
  expect(isWorthWaiting(error("UNAUTHENTICATED"), { op: "log-batch" })).toBe(true);
  expect(isWorthWaiting(error("PERMISSION_DENIED"), { op: "create-run" })).toBe(true);
  expect(isWorthWaiting(error("PERMISSION_DENIED"), { op: "log-batch" })).toBe(false);
  expect(isWorthWaiting(error("INVALID_PARAMETER_VALUE"), { op: "create-run" })).toBe(false);
});
