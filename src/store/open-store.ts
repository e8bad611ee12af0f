import { StoreError } from "../errors.ts";
import type { TrackingStore } from "./tracking-store.ts";
import { parseTrackingUri } from "./tracking-uri.ts";

export interface OpenStoreOptions {
  /** `read`: nothing is created or changed, a missing database is `RESOURCE_DOES_NOT_EXIST`. `write`: a missing database is created whole. */
  readonly mode: "read" | "write";
  /** How long a locked database is waited for before `TEMPORARILY_UNAVAILABLE`. */
  readonly busyTimeoutMs?: number;
  /** SQLite: absolute folder for the artifacts of a database that is created now; default `mlruns` beside the file. */
  readonly artifactRoot?: string;
}

/** Opens the store behind a tracking URI. An unknown kind of URI is a user's mistake: `INVALID_PARAMETER_VALUE`. */
export async function openTrackingStore(trackingUri: string, options: OpenStoreOptions): Promise<TrackingStore> {
  const uri = parseTrackingUri(trackingUri);
  switch (uri.kind) {
    case "sqlite": {
      const { openSqliteStore } = await import("./sqlite/sqlite-store.ts");
      return openSqliteStore(uri.path, options);
    }
    case "rest":
      throw new StoreError("NOT_IMPLEMENTED", `tracking servers are not supported yet: ${uri.url}`);
  }
}
