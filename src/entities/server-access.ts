/** How a tracking server is reached: everything that the environment and `~/.mlflow/credentials` say about it. Holds secrets. */
export interface ServerAccess {
  /** The tracking URI without user, password, query and trailing slash. */
  readonly url: string;
  /** Value of the Authorization header; only for the origin of `url`. */
  readonly authorization?: string;
  /** The user has credentials, which this server does not get: only a folder's config file names it. */
  readonly isWithheld?: boolean;
  /** MLFLOW_WORKSPACE: sent as X-MLFLOW-WORKSPACE. */
  readonly workspace?: string;
  readonly tls: TlsSettings;
  readonly proxies: ProxySettings;
  readonly retry: RetrySettings;
  /** ms, for connecting, for the answer to begin, and between two parts of it. */
  readonly timeoutMs: number;
  /** MLFLOW_ALLOW_HTTP_REDIRECTS. */
  readonly followRedirects: boolean;
  /** What was asked for and cannot be done, one line each. */
  readonly unsupported: readonly string[];
}

export interface TlsSettings {
  /** PEM file, or a folder of them, that replaces the usual authorities. */
  readonly authoritiesPath?: string;
  /** PEM file with certificate and key. */
  readonly clientCertificatePath?: string;
  readonly isInsecure: boolean;
}

/** Proxy URLs by the scheme of the target, and the hosts that are reached without one. */
export interface ProxySettings {
  readonly http?: string;
  readonly https?: string;
  /** As in NO_PROXY: `*`, hosts, domains, addresses and networks, each with or without a port. */
  readonly bypass: readonly string[];
}

export interface RetrySettings {
  readonly maxRetries: number;
  /** The wait before retry n is 0 for the first, then factor * 2^(n-1) seconds, 120 at most. */
  readonly backoffFactorSeconds: number;
  /** Up to so many seconds more, at random. */
  readonly jitterSeconds: number;
  readonly respectRetryAfter: boolean;
}

/** A server that wants nothing, by MLflow's defaults. */
export function plainAccess(url: string): ServerAccess {
  return {
    url: url.replace(/\/+$/u, ""),
    tls: { isInsecure: false },
    proxies: { bypass: [] },
    retry: { maxRetries: 7, backoffFactorSeconds: 2, jitterSeconds: 1, respectRetryAfter: true },
    timeoutMs: 120_000,
    followRedirects: true,
    unsupported: [],
  };
}
