import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { Tag } from "../entities/tag.ts";
import { invalidParameter, StoreError } from "../errors.ts";
import { percentDecode } from "./artifact-paths.ts";
import type { ServedStores } from "./served-stores.ts";

export interface ModelSource {
  readonly source: string;
  readonly runId?: string;
  readonly modelId?: string;
}

/**
 * What a new model version is made from, once it is known to lie within the run or logged model that the client named
 * (mlflow/server/handlers.py `_create_model_version`); a registered version's own source gives its run. Else `INVALID_PARAMETER_VALUE`.
 */
export async function resolveModelSource(
  stores: ServedStores,
  said: ModelSource,
  tags: readonly Tag[],
): Promise<ModelSource> {
  // A prompt has no files.
  if (tags.some(({ key, value }) => key === "mlflow.prompt.is_prompt" && value.toLowerCase() === "true")) return said;
  if (schemeOf(said.source) === "models") return resolveModelsUri(stores, said);
  const root = await rootOf(stores, said);
  const isOfRun = schemeOf(said.source) === "runs";
  if (isOfRun && said.modelId === undefined && runOf(said.source) === said.runId) return said;
  const isLocal = isLocalSource(said.source);
  if (!isLocal && hasRelativeParts(said.source)) {
    throw invalidParameter(
      `Invalid model version source: '${said.source}'. If supplying a source as an http, https, local file path, ftp, ` +
        "objectstore, or mlflow-artifacts uri, an absolute path must be provided without relative path references present. " +
        "Please provide an absolute path.",
    );
  }
  const isChecked = isLocal || isOfRun || isServedByMlflow(said.source);
  if (isChecked && (isOfRun || root === undefined || !isWithin(said.source, root))) throw wrongSource(said);
  return said;
}

async function resolveModelsUri(stores: ServedStores, said: ModelSource): Promise<ModelSource> {
  const [, name = "", at = "", rest = ""] = /^models:\/([^/@]+)(?:([/@])([^/]+))?\/?$/u.exec(said.source) ?? [];
  if (name === "") throw wrongSource(said);
  if (at === "") {
    if (!name.startsWith("m-") || name !== said.modelId) throw wrongSource(said);
    return said;
  }
  const { registry } = stores;
  const version =
    at === "@"
      ? await registry.getModelVersionByAlias(name, rest)
      : /^[0-9]+$/u.test(rest)
        ? await registry.getModelVersion(name, Number(rest))
        : (await registry.getLatestVersions(name)).toSorted((a, b) => b.version - a.version)[0];
  if (version === undefined) throw wrongSource(said);
  if (said.runId !== undefined && said.runId !== version.runId) {
    throw invalidParameter(
      `Invalid model version source: '${said.source}'. The run_id and model_id request parameters must match the ` +
        "referenced model version.",
    );
  }
  return {
    ...said,
    source: `models:/${name}/${version.version}`,
    ...(version.runId !== undefined && { runId: version.runId }),
  };
}

/** The artifacts of the model or run that the client named; nothing named, or nothing there: `undefined`. */
async function rootOf({ tracking }: ServedStores, { runId, modelId }: ModelSource): Promise<string | undefined> {
  try {
    if (modelId !== undefined) return (await tracking.getLoggedModel(modelId)).artifactLocation;
    return runId === undefined ? undefined : (await tracking.getRun(runId)).info.artifactUri;
  } catch (error) {
    if (error instanceof StoreError && error.errorCode === "RESOURCE_DOES_NOT_EXIST") return undefined;
    throw error;
  }
}

function schemeOf(source: string): string | undefined {
  return /^([a-z][a-z0-9+.-]*):/iu.exec(source)?.[1]?.toLowerCase();
}

function isLocalSource(source: string): boolean {
  const scheme = schemeOf(source);
  return scheme === undefined || scheme === "file";
}

function isServedByMlflow(source: string): boolean {
  return /^mlflow-artifacts:/iu.test(source) || /^https?:.*\/api\/2\.0\/mlflow-artifacts\/artifacts/iu.test(source);
}

function runOf(source: string): string | undefined {
  return /^runs:\/+([^/]+)\//u.exec(source)?.[1];
}

function hasRelativeParts(source: string): boolean {
  const decoded = percentDecode(percentDecode(source));
  return decoded.includes("\0") || decoded.split("/").includes("..");
}

function isWithin(source: string, root: string): boolean {
  if (!isLocalSource(source)) {
    const trim = (uri: string): string => percentDecode(uri).replace(/\/+$/u, "");
    return !hasRelativeParts(source) && `${trim(source)}/`.startsWith(`${trim(root)}/`);
  }
  const [path, folder] = [localPath(source), localPath(root)];
  return isLocalSource(root) && path !== undefined && folder !== undefined && `${path}/`.startsWith(`${folder}/`);
}

/** `undefined`: a file URL of another host, or one that hides a slash in an escape. */
function localPath(location: string): string | undefined {
  if (!/^file:/iu.test(location)) return resolve(location);
  try {
    return resolve(fileURLToPath(location));
  } catch (error) {
    // All that it throws is about the URL.
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

function wrongSource({ source, modelId }: ModelSource): StoreError {
  return invalidParameter(
    `Invalid model version source: '${source}'. The ${modelId === undefined ? "run_id" : "model_id"} request parameter must ` +
      "identify the resource that contains the source.",
  );
}
