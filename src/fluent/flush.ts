import { checkOptions } from "./argument-checks.ts";
import { invalidParameter } from "../errors.ts";
import { currentSlot } from "./run-stack.ts";
import { flushSessions } from "./session.ts";

export interface FlushOptions {
  /** `journal` (the default): on disk, so that it survives a crash of everything; `store`: readable there. */
  readonly to?: "journal" | "store";
}

/**
 * Waits until all that this program has said is safe, runs that are about to start included; also the way to let a recorder that is
 * behind catch up. Rejects with `TrackError` where that cannot be had, as on a full disk.
 */
export async function flush(options: FlushOptions = {}): Promise<void> {
  checkOptions("flush", options, ["to"]);
  const { to = "journal" } = options;
  if (to !== "journal" && to !== "store")
    throw invalidParameter(`Invalid value '${String(to)}' for 'to': journal or store`);
  await currentSlot()?.opened.catch(() => {});
  await flushSessions(to);
}
