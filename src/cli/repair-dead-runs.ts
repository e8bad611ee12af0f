import { journalRoots } from "../client/journal-folder.ts";
import { findDeadJournals } from "../recorder/dead-journals.ts";
import { isServerUri } from "../settings/tracking-uri.ts";
import { messageOf } from "../util/error-code.ts";
import { readPlace } from "../util/proc.ts";
import { withoutUserinfo } from "../util/uri-secrets.ts";
import type { Context } from "./context.ts";
import { journalPlaces } from "./launch/journal-places.ts";

/** What a command that only wants to look may spend on it, ms. */
const budgetMs = 1500;

/**
 * Finishes the runs whose `track` was killed on this host, before a store is looked at. Where that cannot be done (a store
 * that is away, a folder that is not ours) it is left to a later command without a word.
 */
export async function repairDeadRuns(context: Context, uriOption: string | undefined): Promise<void> {
  const trackingUri = context.trackingUri(uriOption);
  const roots = journalRoots(journalPlaces(trackingUri, context.env));
  const here = readPlace();
  if (findDeadJournals(roots, here).length === 0) return;
  const { repairJournals } = await import("../recorder/repair.ts");
  const { withTypedUri } = await import("../settings/server-access.ts");
  try {
    await repairJournals({
      roots,
      env: withTypedUri(context.env, context.serverTrust(uriOption).typedUri),
      here,
      budgetMs,
      // A server that is away must not hold up a look into a database.
      isForOthers: (header) => isServerUri(header.trackingUri) && header.trackingUri !== withoutUserinfo(trackingUri),
      onNotice: (text) => context.io.say(text),
      now: context.now,
    });
  } catch (error) {
    context.io.say(`a dead run could not be finished: ${messageOf(error)}`);
  }
}
