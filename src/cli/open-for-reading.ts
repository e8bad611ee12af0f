import { StoreError, TrackError } from "../errors.ts";
import type { TrackingStore } from "../store/tracking-store.ts";
import type { Context } from "./context.ts";

/** Opens the store to look at; `undefined`, told on stderr, where nothing was ever recorded. Creates nothing. */
export async function openForListing(context: Context, trackingUri?: string): Promise<TrackingStore | undefined> {
  try {
    return await context.openStore("read", trackingUri);
  } catch (error) {
    if (!isMissing(error)) throw error;
    context.io.say(`nothing recorded yet: ${context.trackingUri(trackingUri)}`);
    return undefined;
  }
}

/** Opens the store for a command that is about something in it: nothing recorded is then an error. */
export async function openExisting(
  context: Context,
  mode: "read" | "write",
  trackingUri?: string,
): Promise<TrackingStore> {
  try {
    // A missing database is not to be made just to find nothing in it.
    if (mode === "write") await (await context.openStore("read", trackingUri))[Symbol.asyncDispose]();
    return await context.openStore(mode, trackingUri);
  } catch (error) {
    if (!isMissing(error)) throw error;
    throw new TrackError(`nothing recorded yet: ${context.trackingUri(trackingUri)}`, {
      hint: "go to the folder of the runs, or give --tracking-uri",
      cause: error,
    });
  }
}

/** Nothing was ever recorded there. */
export function isMissing(error: unknown): boolean {
  return error instanceof StoreError && error.errorCode === "RESOURCE_DOES_NOT_EXIST";
}
