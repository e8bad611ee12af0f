import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { plainAccess, type ProxySettings, type ServerAccess, type TlsSettings } from "../entities/server-access.ts";
import { UsageError } from "../errors.ts";
import { hasCode } from "../util/error-code.ts";
import { type Environment, outerEndpoint, variable } from "./tracking-uri.ts";

export interface AccessOptions {
  /** Nobody but a folder's `track.toml` names the server: it gets no credentials, unless MLFLOW_TRACKING_URI names it by now. */
  readonly isUntrusted?: boolean;
}

/**
 * How the server behind an http(s) tracking URI is reached, by MLflow's variables. Credentials of the environment are used only
 * where MLFLOW_TRACKING_URI beside them has the same origin; a user in the URI itself wins, `~/.mlflow/credentials` fills in.
 * Inside another run of the same server that run's endpoint is asked. Throws `UsageError` for a value that cannot be meant.
 */
export function resolveServerAccess(trackingUri: string, env: Environment, options: AccessOptions = {}): ServerAccess {
  const outer = outerEndpoint(trackingUri, env);
  if (outer !== undefined) {
    return { ...plainAccess(outer), authorization: `Bearer ${variable(env, "MLFLOW_TRACKING_TOKEN")}` };
  }
  const url = parseUrl(trackingUri);
  const own = variable(env, "MLFLOW_TRACKING_URI");
  const isBeside = own !== undefined && originOf(own) === url.origin;
  const credentials = isBeside ? env : {};
  const inUri = fromUrl(url) ?? (isBeside ? fromUrl(new URL(own)) : undefined);
  const isWithheld = options.isUntrusted === true && !isBeside;
  const authorization = inUri ?? (isWithheld ? undefined : fromVariables(credentials, env));
  const plain = plainAccess(`${url.origin}${url.pathname}`);
  const workspace = variable(env, "MLFLOW_WORKSPACE");
  return {
    ...plain,
    ...(authorization !== undefined && { authorization }),
    ...(workspace !== undefined && { workspace }),
    ...(isWithheld && hasCredentials(env) && { isWithheld }),
    tls: tlsSettings(env, isBeside),
    proxies: proxySettings(env),
    retry: retrySettings(env, plain.retry),
    timeoutMs: numberVariable(env, "MLFLOW_HTTP_REQUEST_TIMEOUT", { fallback: 120, most: 2_000_000 }) * 1000,
    followRedirects: booleanVariable(env, "MLFLOW_ALLOW_HTTP_REDIRECTS", true),
    unsupported: isBeside ? unsupportedSettings(env) : [],
  };
}

/**
 * The environment in which the credentials belong to the URI in force: where none is set beside them, or the URI typed names its
 * own user, they are meant for the one typed.
 */
export function withTypedUri<Value extends string | undefined>(
  env: Readonly<Record<string, Value>>,
  typed: string | undefined,
): Readonly<Record<string, Value | string>> {
  if (typed === undefined || originOf(typed) === undefined) return env;
  const own = variable(env, "MLFLOW_TRACKING_URI");
  if (own === undefined || originOf(own) === undefined || originOf(own) === originOf(typed)) {
    return { ...env, MLFLOW_TRACKING_URI: typed };
  }
  if (fromUrl(parseUrl(typed)) === undefined) return env;
  const others = Object.entries(env).filter(([name]) => !credentialNames.has(name));
  return { ...Object.fromEntries(others), MLFLOW_TRACKING_URI: typed };
}

const credentialNames = new Set(["MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN"]);

/** Scheme, host and port of an http(s) URI; `undefined` for any other. */
export function originOf(uri: string): string | undefined {
  const url = URL.parse(uri);
  return url?.protocol === "http:" || url?.protocol === "https:" ? url.origin : undefined;
}

function parseUrl(trackingUri: string): URL {
  const url = URL.parse(trackingUri);
  if (url === null) throw usage("the tracking URI is no URL", "use http://host:port or https://host");
  return url;
}

function fromUrl({ username, password }: URL): string | undefined {
  return username === "" ? undefined : basic(decodeURIComponent(username), decodeURIComponent(password));
}

/** MLflow: user and password, each from the environment or else the file, win over the token. */
function fromVariables(credentials: Environment, env: Environment): string | undefined {
  const file = readCredentials(variable(env, "HOME") ?? homedir());
  const user = variable(credentials, "MLFLOW_TRACKING_USERNAME") ?? file["mlflow_tracking_username"];
  const password = variable(credentials, "MLFLOW_TRACKING_PASSWORD") ?? file["mlflow_tracking_password"];
  if (user !== undefined && password !== undefined) return basic(user, password);
  const token = variable(credentials, "MLFLOW_TRACKING_TOKEN");
  return token === undefined ? undefined : `Bearer ${token}`;
}

const hasCredentials = (env: Environment): boolean =>
  fromVariables(env, env) !== undefined || variable(env, "MLFLOW_TRACKING_CLIENT_CERT_PATH") !== undefined;

const basic = (user: string, password: string): string =>
  `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;

/** The section `[mlflow]` of an INI file; empty where there is none. */
function readCredentials(home: string): Readonly<Record<string, string>> {
  try {
    const text = readFileSync(join(home, ".mlflow", "credentials"), "utf8");
    const section = /^\s*\[mlflow\][^\n]*\n((?:(?!\s*\[)[^\n]*\n?)*)/mu.exec(text)?.[1] ?? "";
    const pairs = section.matchAll(/^[ \t]*(\w+)[ \t]*[=:][ \t]*(.*?)[ \t\r]*$/gmu);
    return Object.fromEntries(Array.from(pairs, ([, key = "", value = ""]) => [key.toLowerCase(), value]));
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR", "EACCES", "EPERM", "EISDIR")) return {};
    throw error;
  }
}

/** A client certificate is a credential as well. */
function tlsSettings(env: Environment, isBeside: boolean): TlsSettings {
  const isInsecure = booleanVariable(env, "MLFLOW_TRACKING_INSECURE_TLS", false);
  const given = variable(env, "MLFLOW_TRACKING_SERVER_CERT_PATH");
  if (isInsecure && given !== undefined) {
    throw usage(
      "MLFLOW_TRACKING_INSECURE_TLS and MLFLOW_TRACKING_SERVER_CERT_PATH exclude each other",
      "unset one of the two",
    );
  }
  const authoritiesPath = given ?? variable(env, "REQUESTS_CA_BUNDLE") ?? variable(env, "CURL_CA_BUNDLE");
  const clientCertificatePath = isBeside ? variable(env, "MLFLOW_TRACKING_CLIENT_CERT_PATH") : undefined;
  return {
    isInsecure,
    ...(authoritiesPath !== undefined && { authoritiesPath }),
    ...(clientCertificatePath !== undefined && { clientCertificatePath }),
  };
}

/** As Python's `requests`: the lower-case name wins, ALL_PROXY stands in for both. */
function proxySettings(env: Environment): ProxySettings {
  const read = (name: string) => variable(env, name) ?? variable(env, name.toUpperCase());
  const http = read("http_proxy") ?? read("all_proxy");
  const https = read("https_proxy") ?? read("all_proxy");
  const bypass = (read("no_proxy") ?? "").split(",").map((part) => part.trim());
  return {
    ...(http !== undefined && { http }),
    ...(https !== undefined && { https }),
    bypass: bypass.filter((part) => part !== ""),
  };
}

function retrySettings(env: Environment, fallback: ServerAccess["retry"]): ServerAccess["retry"] {
  const read = (name: string, limits: Limits) => numberVariable(env, `MLFLOW_HTTP_REQUEST_${name}`, limits);
  return {
    maxRetries: read("MAX_RETRIES", { fallback: fallback.maxRetries, most: 10, isWhole: true }),
    backoffFactorSeconds: read("BACKOFF_FACTOR", { fallback: fallback.backoffFactorSeconds, most: 120 }),
    jitterSeconds: read("BACKOFF_JITTER", { fallback: fallback.jitterSeconds, most: 120 }),
    respectRetryAfter: booleanVariable(env, "MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER", true),
  };
}

function unsupportedSettings(env: Environment): readonly string[] {
  const isSigned = booleanVariable(env, "MLFLOW_TRACKING_AWS_SIGV4", false);
  return [
    ...(variable(env, "MLFLOW_TRACKING_AUTH") === undefined
      ? []
      : ["MLFLOW_TRACKING_AUTH names a Python plugin, which is not supported: the server is asked without it"]),
    ...(isSigned ? ["MLFLOW_TRACKING_AWS_SIGV4 is not supported: the server is asked without a signature"] : []),
  ];
}

interface Limits {
  readonly fallback: number;
  readonly most: number;
  readonly isWhole?: boolean;
}

function numberVariable(env: Environment, name: string, { fallback, most, isWhole = false }: Limits): number {
  const value = variable(env, name);
  if (value === undefined) return fallback;
  const number = Number(value);
  const isGood = Number.isFinite(number) && number >= 0 && number <= most && (!isWhole || Number.isInteger(number));
  if (isGood) return number;
  throw usage(`${name} is no number from 0 to ${most}: ${value}`, `set ${name} to ${fallback}, or unset it`);
}

/** MLflow's truth values. Throws `UsageError` for any other text. */
export function booleanVariable(env: Environment, name: string, fallback: boolean): boolean {
  const value = variable(env, name)?.toLowerCase();
  if (value === undefined) return fallback;
  if (value === "true" || value === "1") return true;
  if (value === "false" || value === "0") return false;
  throw usage(`${name} is neither true nor false: ${value}`, `set ${name} to true, false, 1 or 0`);
}

const usage = (message: string, hint: string): UsageError => new UsageError(message, { hint });
