import { existsSync } from "node:fs";
import { resolve, sep } from "node:path";
import type { LogArtifactOperation } from "../entities/journal-entry.ts";
import { invalidParameter } from "../errors.ts";
import type { TrackingStore } from "../store/tracking-store.ts";
import type { ApplyContext } from "./apply-operation.ts";

/** Copies a spooled file or folder to the run's artifacts. One that is gone was stored before: it is deleted only behind the cursor. */
export async function storeSpooledArtifact(
  store: TrackingStore,
  operation: LogArtifactOperation,
  context: ApplyContext,
): Promise<void> {
  const path = spoolPathIn(context.folder, operation);
  if (!existsSync(path)) return;
  const { knownRuns } = context;
  const info = knownRuns?.get(operation.runId) ?? (await store.getRun(operation.runId)).info;
  knownRuns?.set(operation.runId, info);
  const artifacts = await context.openArtifacts(info);
  await artifacts.logArtifact(path, operation.artifactFile);
}

/** Absolute path of the spooled file; one outside the journal folder is refused, since it is deleted in the end. */
export function spoolPathIn(folder: string, operation: LogArtifactOperation): string {
  const path = resolve(folder, operation.spoolPath);
  if (!path.startsWith(resolve(folder) + sep)) throw invalidParameter(`not in the journal: ${operation.spoolPath}`);
  return path;
}
