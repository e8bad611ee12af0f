import type { ServerAccess } from "../entities/server-access.ts";
import type { StoreError } from "../errors.ts";
import { resolveServerAccess, withTypedUri } from "../settings/server-access.ts";
import type { Environment } from "../settings/tracking-uri.ts";
import type { Io } from "./io.ts";

export interface ServerOptions {
  readonly access: ServerAccess;
  readonly onRetry: (error: StoreError, retryInMs: number, retry: number, maxRetries: number) => void;
}

/** How a command reaches the tracking server; waits for it are told. Throws `UsageError` for a setting that cannot be meant. */
export function serverAccess(
  io: Io,
  env: Environment,
  { uri, option }: { readonly uri: string; readonly option: string | undefined },
): ServerOptions {
  const access = resolveServerAccess(uri, withTypedUri(env, option));
  for (const text of access.unsupported) io.say(text);
  return {
    access,
    onRetry: (error, retryInMs, retry, maxRetries) => {
      // The first retry comes at once and mostly heals a connection that the server had closed.
      if (retry === 1 && retryInMs === 0) return;
      io.say(`${error.message}; trying again in ${Math.ceil(retryInMs / 1000)} s (${retry} of ${maxRetries})`);
    },
  };
}
