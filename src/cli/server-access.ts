import type { ServerAccess } from "../entities/server-access.ts";
import type { StoreError } from "../errors.ts";
import { resolveServerAccess, withTypedUri } from "../settings/server-access.ts";
import type { Environment } from "../settings/tracking-uri.ts";
import { withoutUserinfo } from "../util/uri-secrets.ts";
import type { ServerTrust } from "./context.ts";
import type { Io } from "./io.ts";

export interface ServerOptions {
  readonly access: ServerAccess;
  readonly onRetry: (error: StoreError, retryInMs: number, retry: number, maxRetries: number) => void;
}

/** How a command reaches the tracking server; waits for it are told, remarks that are not `told` yet too. Throws `UsageError` for a setting that cannot be meant. */
export function serverAccess(
  io: Io,
  env: Environment,
  { uri, trust, told }: { readonly uri: string; readonly trust: ServerTrust; readonly told: Set<string> },
): ServerOptions {
  const isUntrusted = trust.untrustedSource !== undefined;
  const access = resolveServerAccess(uri, withTypedUri(env, trust.typedUri), { isUntrusted });
  for (const text of accessRemarks(access, trust)) {
    if (!told.has(text)) io.say(text);
    told.add(text);
  }
  return {
    access,
    onRetry: (error, retryInMs, retry, maxRetries) => {
      // The first retry comes at once and mostly heals a connection that the server had closed.
      if (retry === 1 && retryInMs === 0) return;
      io.say(`${error.message}; trying again in ${Math.ceil(retryInMs / 1000)} s (${retry} of ${maxRetries})`);
    },
  };
}

/** What the user should know of the way to a server, one line each. */
export function accessRemarks(access: ServerAccess, { untrustedSource }: ServerTrust): readonly string[] {
  if (access.isWithheld !== true) return access.unsupported;
  const text = `your credentials are not sent to ${withoutUserinfo(access.url)}, which only ${untrustedSource} names`;
  return [...access.unsupported, `${text}: trusted-servers in ~/.config/track/config.toml`];
}
