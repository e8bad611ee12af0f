import { tmpdir } from "node:os";
import { dirname } from "node:path";
import type { JournalPlaces } from "../../client/journal-folder.ts";
import { type Environment, variable } from "../../settings/tracking-uri.ts";
import { parseTrackingUri } from "../../store/tracking-uri.ts";

/** Where journals may lie for a tracking URI in this environment. */
export function journalPlaces(trackingUri: string, env: Environment): JournalPlaces {
  const uri = parseTrackingUri(trackingUri);
  const stateHome = variable(env, "XDG_STATE_HOME");
  const home = variable(env, "HOME");
  return {
    ...(stateHome !== undefined && { stateHome }),
    ...(home !== undefined && { home }),
    ...(uri.kind === "sqlite" && { storeFolder: dirname(uri.path) }),
    temporary: variable(env, "TMPDIR") ?? tmpdir(),
  };
}
