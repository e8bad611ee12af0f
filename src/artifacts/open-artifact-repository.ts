import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { StoreError } from "../errors.ts";
import { messageOf } from "../util/error-code.ts";
import type { ArtifactRepository } from "./artifact-repository.ts";
import { LocalArtifactRepository } from "./local-artifact-repository.ts";

/**
 * The repository behind a run's artifact URI. A plain path is taken as it is, a `%` in it included; a `file:` URI is decoded.
 * Any other scheme: `NOT_IMPLEMENTED`, naming it.
 */
export function openArtifactRepository(artifactUri: string): ArtifactRepository {
  const scheme = /^([a-z][a-z0-9+.-]*):\//iu.exec(artifactUri)?.[1]?.toLowerCase();
  if (scheme === undefined) return new LocalArtifactRepository(resolve(artifactUri));
  if (scheme === "file") return new LocalArtifactRepository(decodeFileUri(artifactUri));
  throw new StoreError("NOT_IMPLEMENTED", `artifacts at ${scheme}: locations are not supported: ${artifactUri}`);
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
