import type { OpenStoreOptions } from "../open-store.ts";
import type { TrackingStore } from "../tracking-store.ts";

export function openSqliteStore(path: string, options: OpenStoreOptions): Promise<TrackingStore> {
  return Promise.reject(new Error(`not yet: ${path} ${options.mode}`));
}
