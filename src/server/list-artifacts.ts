import type { ArtifactFile } from "../artifacts/artifact-repository.ts";
import type { JsonObject } from "../wire/rest-json.ts";
import { listField } from "../wire/rest-json-values.ts";
import { safeArtifactFolder } from "./artifact-paths.ts";
import type { ServedStores } from "./served-stores.ts";

/** The files of one folder below an artifact URI, as `artifacts/list` gives them. */
export async function listArtifacts(stores: ServedStores, artifactUri: string, folder: string): Promise<JsonObject> {
  const path = safeArtifactFolder(folder);
  const artifacts = await stores.openArtifacts(artifactUri);
  return { root_uri: artifactUri, ...listField("files", await artifacts.listArtifacts(path), artifactFileToJson) };
}

/** MLflow leaves the size of an empty file out. */
export function artifactFileToJson({ path, isFolder, size = 0 }: ArtifactFile): JsonObject {
  return { path, is_dir: isFolder, ...(size > 0 && { file_size: size }) };
}
