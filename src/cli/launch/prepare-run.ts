import type { LoggingServer } from "../../client/logging-server.ts";
import type { LoopbackServer } from "../../client/loopback-server.ts";
import { createJournalFolder, journalRoots } from "../../client/journal-folder.ts";
import type { RunSettings } from "../../settings/run-settings.ts";
import type { Environment } from "../../settings/tracking-uri.ts";
import type { JournalHeader } from "../../wire/journal-header.ts";
import { createMasker } from "../../wire/redact.ts";
import type { Context } from "../context.ts";
import { attemptHeader } from "./attempt-header.ts";
import { journalPlaces } from "./journal-places.ts";
import type { Say } from "./launch-notices.ts";
import type { LaunchRequest } from "./launch-request.ts";
import { openSocket } from "./open-channels.ts";
import { refusedStart } from "./refused-start.ts";
import { writeRunId } from "./run-id-file.ts";

type DirectedRequest = LaunchRequest & { readonly isDirect: boolean };

/** What a run needs before it starts. */
export interface Prepared {
  readonly header: JournalHeader;
  /** Absent: the run is not recorded. */
  readonly journal: Journal | undefined;
  readonly logging: LoggingServer | undefined;
  readonly loopback: LoopbackServer | undefined;
}

/** What must be there before the start. Where it throws, it leaves nothing behind. */
export function prepare(
  context: Context,
  request: DirectedRequest,
  say: Say,
  loopback: LoopbackServer | undefined,
): Prepared {
  const { settings, notes } = request;
  const startTime = context.now();
  const masker = createMasker(notes.environment, { enabled: settings.redact });
  const bound = openSocket(notes.environment, settings, say);
  try {
    const header = attemptHeader({
      ...request,
      masker,
      startTime,
      ...(bound !== undefined && { socketPath: bound.path }),
    });
    for (const { key, value } of settings.params) {
      if (masker.maskKeyValue(key, value) !== value)
        say(`the value of param ${key} looks like a secret and is stored as ***`);
    }
    if (settings.runIdFile !== undefined) writeRunId(settings.runIdFile, header.runId);
    const journal = openJournal(header, settings, notes.environment, say);
    // Nobody would ever listen: a client had better fail at once.
    if (journal !== undefined) return { header, journal, logging: bound, loopback };
    bound?.close();
    loopback?.close();
    return { header, journal, logging: undefined, loopback: undefined };
  } catch (error) {
    bound?.close();
    loopback?.close();
    throw error;
  }
}

interface Journal {
  readonly folder: string;
  readonly logPath: string;
}

function openJournal(header: JournalHeader, settings: RunSettings, env: Environment, say: Say): Journal | undefined {
  const created = createJournalFolder(journalRoots(journalPlaces(settings.trackingUri, env)), header);
  if (created.folder !== undefined) return { folder: created.folder, logPath: `${created.folder}/log` };
  const reason = created.reasons[0] ?? "no folder";
  if (settings.strict) throw refusedStart(`no journal can be written: ${reason}`);
  say(`the run is not recorded, no journal can be written: ${reason}`);
  return undefined;
}
