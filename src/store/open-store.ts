import { plainAccess, type ServerAccess } from "../entities/server-access.ts";
import type { StoreError } from "../errors.ts";
import type { TrackingStore } from "./tracking-store.ts";
import { parseTrackingUri } from "./tracking-uri.ts";

export interface OpenStoreOptions {
  /** `read`: nothing is created or changed, a missing database is `RESOURCE_DOES_NOT_EXIST`. `write`: a missing database is created whole. */
  readonly mode: "read" | "write";
  /** How long a locked database is waited for before `TEMPORARILY_UNAVAILABLE`. */
  readonly busyTimeoutMs?: number;
  /** SQLite: absolute folder for the artifacts of a database that is created now; default `mlruns` beside the file. */
  readonly artifactRoot?: string;
  /** Tracking server: how it is reached; default: without credentials. */
  readonly access?: ServerAccess;
  /** Tracking server: a request failed and is tried again. */
  readonly onRetry?: (error: StoreError, retryInMs: number, retry: number, maxRetries: number) => void;
}

/** Opens the store behind a tracking URI. An unknown kind of URI is a user's mistake: `INVALID_PARAMETER_VALUE`. */
export async function openTrackingStore(trackingUri: string, options: OpenStoreOptions): Promise<TrackingStore> {
  const uri = parseTrackingUri(trackingUri);
  switch (uri.kind) {
    case "sqlite": {
      const { openSqliteStore } = await import("./sqlite/sqlite-store.ts");
      return openSqliteStore(uri.path, options);
    }
    case "rest": {
      const { openRestStore } = await import("./rest/rest-store.ts");
      return openRestStore(options.access ?? plainAccess(uri.url), options);
    }
  }
}
