import type { ErrorCode } from "../errors.ts";
import { isTransient, StoreError } from "../errors.ts";

export function hasCodeOf(error: unknown, code: ErrorCode): boolean {
  return error instanceof StoreError && error.errorCode === code;
}

/** A refusal counts as success where the store already is as the change wants it: the change was made before a crash and is replayed. */
export async function ifNotDone(change: Promise<unknown>, isDone: () => Promise<boolean>): Promise<void> {
  try {
    await change;
  } catch (error) {
    if (!(error instanceof StoreError) || isTransient(error) || !(await isDone())) throw error;
  }
}
