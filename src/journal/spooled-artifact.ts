import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { posix, resolve, sep } from "node:path";
import type { LogArtifactOperation } from "../entities/journal-entry.ts";
import { invalidParameter } from "../errors.ts";
import type { TrackingStore } from "../store/tracking-store.ts";
import type { ApplyContext, RunIdMap } from "./apply-operation.ts";

/** Copies a spooled file or folder to the artifacts of its run (its model). One that is gone was stored before: it is deleted only behind the cursor. */
export async function storeSpooledArtifact(
  store: TrackingStore,
  operation: LogArtifactOperation,
  context: ApplyContext,
): Promise<void> {
  const path = spoolPathIn(context.folder, operation);
  if (!existsSync(path)) return;
  const artifactUri = await placeOf(store, operation, context);
  const artifacts = await context.openArtifacts({ artifactUri });
  const stored = isModelFile(operation)
    ? describedByStore(path, { operation, artifactUri, ids: context.runIds })
    : path;
  await artifacts.logArtifact(stored, operation.artifactFile);
}

/** Where artifacts lie never changes. */
async function placeOf(store: TrackingStore, operation: LogArtifactOperation, context: ApplyContext): Promise<string> {
  const { knownRuns, knownModels } = context;
  const { modelId, runId } = operation;
  if (modelId !== undefined) {
    const place = knownModels?.get(modelId) ?? (await store.getLoggedModel(modelId)).artifactLocation;
    knownModels?.set(modelId, place);
    return place;
  }
  const info = knownRuns?.get(runId) ?? (await store.getRun(runId)).info;
  knownRuns?.set(runId, info);
  return info.artifactUri;
}

const isModelFile = ({ artifactFile }: LogArtifactOperation): boolean => posix.basename(artifactFile) === "MLmodel";

const idPattern = /(?<![\da-z])(?:m-)?[\da-f]{32}(?![\da-z])/gu;
const ownPlacePattern = /mlflow-artifacts:\/((?:m-)?[\da-f]{32})\/artifacts/gu;

interface Described {
  readonly operation: LogArtifactOperation;
  readonly artifactUri: string;
  readonly ids: RunIdMap | undefined;
}

/** A model's own description names its run, itself and its place: the path of a copy as the store knows them, or the file as it is. */
function describedByStore(path: string, { operation, artifactUri, ids }: Described): string {
  if (ids === undefined || !statSync(path).isFile()) return path;
  const subject = operation.modelId ?? operation.runId;
  const text = readFileSync(path, "utf8");
  const mapped = text
    .replaceAll(ownPlacePattern, (place, id: string) => (ids.toStore(id) === subject ? artifactUri : place))
    .replaceAll(idPattern, (id) => ids.toStore(id));
  if (mapped === text) return path;
  writeFileSync(`${path}.mapped`, mapped, { mode: 0o600 });
  return `${path}.mapped`;
}

/** Absolute path of the spooled file; one outside the journal folder is refused, since it is deleted in the end. */
export function spoolPathIn(folder: string, operation: LogArtifactOperation): string {
  const path = resolve(folder, operation.spoolPath);
  if (!path.startsWith(resolve(folder) + sep)) throw invalidParameter(`not in the journal: ${operation.spoolPath}`);
  return path;
}
