import type { RetrySettings } from "../entities/server-access.ts";

/** MLflow's client tries these again, whatever the method. */
const retriedStatuses = [408, 429, 500, 502, 503, 504];

const longestBackoffMs = 120_000;

export const isRetriedStatus = (status: number): boolean => retriedStatuses.includes(status);

/** The wait before retry `n` (1, 2, ...) in ms; what the server asks for (`retryAfterMs`) wins. */
export function retryWaitMs(n: number, settings: RetrySettings, retryAfterMs?: number): number {
  if (retryAfterMs !== undefined && settings.respectRetryAfter) return retryAfterMs;
  const backoffMs = n === 1 ? 0 : settings.backoffFactorSeconds * 2 ** (n - 1) * 1000;
  const jitterMs = n === 1 ? 0 : Math.random() * settings.jitterSeconds * 1000;
  return Math.min(backoffMs + jitterMs, longestBackoffMs);
}

/** A Retry-After header, seconds or a date, in ms from now; `undefined` where there is none that can be read. */
export function retryAfterMs(header: string | undefined, now: number): number | undefined {
  if (header === undefined) return undefined;
  if (/^\s*\d+\s*$/u.test(header)) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
