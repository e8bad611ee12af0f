import type { StoreOperation } from "../entities/journal-entry.ts";
import { isTransient, StoreError } from "../errors.ts";
import { hasCode, messageOf } from "../util/error-code.ts";
import { hasCodeOf } from "./replay.ts";

const firstMs = 50;
const transientLimitMs = 2000;
/** After a minute of that it is an outage, and many recorders wait for its end. */
const outage = { attempts: 40, limitMs: 10_000 };
/** For what rarely heals by itself: a database of a newer schema, missing credentials. */
const otherLimitMs = 30_000;

/** Surroundings that an artifact repository may report as the system does. */
const surroundings = ["ENOSPC", "EDQUOT", "EIO", "EMFILE", "ENFILE", "EAGAIN", "EBUSY", "ESTALE", "ETIMEDOUT"];

/** The entry is not to blame: the store or disk is away, or wants credentials. Without its run nothing of a journal could be stored. */
export function isWorthWaiting(error: unknown, { op }: Pick<StoreOperation, "op">): boolean {
  if (op === "create-run" && hasCodeOf(error, "PERMISSION_DENIED")) return true;
  return isTransient(error) || hasCodeOf(error, "UNAUTHENTICATED") || hasCode(error, ...surroundings);
}

/** Any error as a store's; what is none is a bug, `INTERNAL_ERROR`. */
export function refusalOf(error: unknown): StoreError {
  return error instanceof StoreError ? error : new StoreError("INTERNAL_ERROR", messageOf(error), { cause: error });
}

/**
 * 50 ms doubling to 2 s, 10 s in a long outage (30 s for errors that are not transient), and up to a quarter more, so that many
 * recorders do not come at once. A server that said when it wants to be asked again is not asked earlier, within 30 s.
 */
export function retryDelayMs(error: unknown, attempt: number): number {
  const asked = error instanceof StoreError ? (error.retryAfterMs ?? 0) : 0;
  const patience = attempt > outage.attempts ? outage.limitMs : transientLimitMs;
  const limit = isTransient(error) ? patience : otherLimitMs;
  const delay = Math.max(Math.min(firstMs * 2 ** Math.min(attempt - 1, 20), limit), Math.min(asked, otherLimitMs));
  return Math.round(delay * (1 + Math.random() / 4));
}
