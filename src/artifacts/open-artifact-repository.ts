import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { plainAccess, type ServerAccess } from "../entities/server-access.ts";
import { StoreError } from "../errors.ts";
import { HttpClient } from "../http/http-client.ts";
import { messageOf } from "../util/error-code.ts";
import type { ArtifactRepository } from "./artifact-repository.ts";
import { HttpArtifactRepository } from "./http-artifact-repository.ts";
import { LocalArtifactRepository } from "./local-artifact-repository.ts";

export interface OpenArtifactsOptions {
  /** The tracking server of the run, for `mlflow-artifacts:`. */
  readonly access?: ServerAccess;
  readonly onRetry?: (error: StoreError, retryInMs: number, retry: number, maxRetries: number) => void;
  readonly onBytes?: (bytes: number) => void;
}

/**
 * The repository behind a run's artifact URI. A plain path is taken as it is, a `%` in it included; a `file:` URI is decoded;
 * `mlflow-artifacts:` is the proxy of the tracking server. Any other scheme: `NOT_IMPLEMENTED`, naming it.
 */
export function openArtifactRepository(artifactUri: string, options: OpenArtifactsOptions = {}): ArtifactRepository {
  const scheme = /^([a-z][a-z0-9+.-]*):\//iu.exec(artifactUri)?.[1]?.toLowerCase();
  if (scheme === undefined) return new LocalArtifactRepository(resolve(artifactUri));
  if (scheme === "file") return new LocalArtifactRepository(decodeFileUri(artifactUri));
  if (scheme === "mlflow-artifacts" || scheme === "http" || scheme === "https") {
    const { access, root } = resolveProxy(artifactUri, options.access);
    return new HttpArtifactRepository(new HttpClient(access, options), root, options);
  }
  throw new StoreError("NOT_IMPLEMENTED", `artifacts at ${scheme}: locations are not supported: ${artifactUri}`, {
    hint: "a server that serves artifacts itself (mlflow server, the default) takes them",
  });
}

interface Proxy {
  readonly access: ServerAccess;
  /** Of the run's artifacts below the proxy. */
  readonly root: string;
}

const apiPath = "/api/2.0/mlflow-artifacts/artifacts";

/** `mlflow-artifacts://host/p` names its own host, `mlflow-artifacts:/p` means the tracking server's; the scheme is that one's. */
function resolveProxy(artifactUri: string, access: ServerAccess | undefined): Proxy {
  if (/^https?:/iu.test(artifactUri)) {
    const end = artifactUri.indexOf(apiPath);
    if (end < 0) throw unusable(artifactUri, "it is not below MLflow's artifact proxy");
    return {
      access: elsewhere(artifactUri.slice(0, end), access),
      root: pathOf(artifactUri.slice(end + apiPath.length)),
    };
  }
  if (access === undefined) throw unusable(artifactUri, "it needs a tracking server, http:// or https://");
  const [, host = "", path = ""] = /^mlflow-artifacts:(?:\/\/([^/]*))?(\/.*)?$/iu.exec(artifactUri) ?? [];
  if (host === "") return { access, root: pathOf(path) };
  const server = new URL(access.url);
  return { access: elsewhere(`${server.protocol}//${host}${server.pathname}`, access), root: pathOf(path) };
}

/** The user's credentials go to the origin of the tracking URI and to no other. */
function elsewhere(url: string, access: ServerAccess | undefined): ServerAccess {
  const plain = plainAccess(url);
  if (access === undefined) return plain;
  const isSame = URL.parse(url)?.origin === new URL(access.url).origin;
  if (isSame) return { ...access, url: plain.url };
  const { authorization: _authorization, tls, ...others } = access;
  const { clientCertificatePath: _certificate, ...otherTls } = tls;
  return { ...others, tls: otherTls, url: plain.url };
}

const pathOf = (path: string): string => path.split("/").map(decodeOrSame).join("/");

function decodeOrSame(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (error instanceof URIError) return text;
    throw error;
  }
}

function decodeFileUri(uri: string): string {
  try {
    return fileURLToPath(uri);
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof URIError)) throw error;
    throw new StoreError("INVALID_PARAMETER_VALUE", `not a usable file URI: ${uri}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

const unusable = (uri: string, why: string): StoreError =>
  new StoreError("INVALID_PARAMETER_VALUE", `artifacts at ${uri} cannot be used: ${why}`);
