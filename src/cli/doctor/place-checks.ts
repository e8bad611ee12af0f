import { accessSync, constants, statfsSync } from "node:fs";
import { dirname } from "node:path";
import { journalRoots } from "../../client/journal-folder.ts";
import { TrackError } from "../../errors.ts";
import { isServerUri, variable } from "../../settings/tracking-uri.ts";
import type { TrackingStore } from "../../store/tracking-store.ts";
import { parseTrackingUri } from "../../store/tracking-uri.ts";
import { messageOf } from "../../util/error-code.ts";
import { isThere } from "../../util/files.ts";
import { withoutUserinfo } from "../../util/uri-secrets.ts";
import type { Context } from "../context.ts";
import { formatBytes } from "../format-number.ts";
import { journalPlaces } from "../launch/journal-places.ts";
import { isMissing } from "../open-for-reading.ts";
import { type Check, unwell, well } from "./check.ts";

const littleBytes = 1_000_000_000;

/** Whether the store can be read; the store itself where there is one, for the checks of what is in it. */
export async function checkStore(
  context: Context,
  uriOption: string | undefined,
): Promise<{ readonly check: Check; readonly store?: TrackingStore }> {
  const shown = withoutUserinfo(context.trackingUri(uriOption));
  let store: TrackingStore | undefined;
  try {
    store = await context.openStore("read", uriOption);
    // A server is only asked now.
    await store.searchExperiments({ maxResults: 1 });
    return { check: well("store", shown), store };
  } catch (error) {
    await store?.[Symbol.asyncDispose]();
    if (isMissing(error)) return { check: well("store", `nothing recorded yet: ${shown}`) };
    if (!(error instanceof TrackError)) throw error;
    return { check: unwell("store", `${shown}: ${error.message}`, error.hint ?? "check --tracking-uri") };
  }
}

/** Whether runs can be recorded: database, journals and sockets have a place, and the disks have room. Writes nothing. */
export function checkPlaces({ env }: Context, trackingUri: string): readonly Check[] {
  const places = journalPlaces(trackingUri, env);
  const roots = journalRoots(places);
  const bases = [variable(env, "XDG_RUNTIME_DIR"), variable(env, "TMPDIR"), "/tmp"].filter(
    (base) => base !== undefined,
  );
  const database = isServerUri(trackingUri) ? undefined : databasePath(trackingUri);
  return [
    ...(database === undefined ? [] : [checkDatabase(database)]),
    firstUsable("journals folder", roots, "without one a run is not recorded: make one of them writable"),
    firstUsable("socket folder", bases, "without one there is no logging socket: set XDG_RUNTIME_DIR or TMPDIR"),
    checkSpace([...(database === undefined ? [] : [dirname(database)]), roots[0] ?? "/tmp", places.temporary]),
  ];
}

function databasePath(trackingUri: string): string | undefined {
  const uri = parseTrackingUri(trackingUri);
  return uri.kind === "sqlite" ? uri.path : undefined;
}

function checkDatabase(path: string): Check {
  const fault = isThere(path) ? writeFault(path) : undefined;
  // SQLite keeps its journal beside the database.
  const found = fault ?? folderFault(dirname(path));
  if (found === undefined) return well("permissions", `${path} can be written`);
  return unwell("permissions", `runs stay in their journals: ${found}`, "make the database and its folder writable");
}

function firstUsable(name: string, folders: readonly string[], hint: string): Check {
  const faults = new Map(folders.map((folder) => [folder, folderFault(folder)]));
  const usable = folders.find((folder) => faults.get(folder) === undefined);
  if (usable === undefined) return unwell(name, [...faults.values()].join("; "), hint);
  const [first] = folders;
  return well(name, usable === first ? usable : `${usable}, since ${faults.get(first ?? "")}`);
}

function checkSpace(folders: readonly string[]): Check {
  const rooms = new Map(
    folders.map((folder) => {
      const existing = existingFolder(folder);
      const { bavail, bsize } = statfsSync(existing);
      return [existing, bavail * bsize] as const;
    }),
  );
  const message = Array.from(rooms, ([folder, bytes]) => `${formatBytes(bytes)} free for ${folder}`).join(", ");
  if ([...rooms.values()].every((bytes) => bytes >= littleBytes)) return well("disk space", message);
  return unwell("disk space", message, "make room: what cannot be written is lost in the end");
}

function writeFault(path: string): string | undefined {
  try {
    accessSync(path, constants.W_OK);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

function folderFault(folder: string): string | undefined {
  const existing = existingFolder(folder);
  // The slash makes a file of that name no folder.
  return writeFault(`${existing}/.`);
}

/** The folder itself, or the nearest above it that is there. */
function existingFolder(folder: string): string {
  return dirname(folder) === folder || isThere(folder) ? folder : existingFolder(dirname(folder));
}
