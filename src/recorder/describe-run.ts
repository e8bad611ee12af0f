import { dirname, join, posix } from "node:path";
import { mkdirSync } from "node:fs";
import { trackTags } from "../entities/tag-keys.ts";
import { collectProvenance } from "../provenance/collect-provenance.ts";
import { parseTrackingUri } from "../store/tracking-uri.ts";
import { readGpuInventory } from "../system-metrics/gpu-inventory.ts";
import { journalFiles } from "../wire/journal-header.ts";
import type { Recording } from "./recording.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** Writes down, beside the running command, what it runs on and from. Never rejects; ends within some 5 s. */
export async function describeRun(recording: Recording, folder: string, env: Environment): Promise<void> {
  const outFolder = join(folder, journalFiles.spool, "provenance");
  mkdirSync(outFolder, { recursive: true, mode: 0o700 });
  await Promise.all([describeGpus(recording, env), describeSource(recording, outFolder, env)]);
}

async function describeSource(recording: Recording, outFolder: string, env: Environment): Promise<void> {
  const { header, live } = recording;
  await collectProvenance({
    cwd: header.cwd,
    command: header.command,
    env,
    gitExcludes: ownFiles(header.trackingUri),
    outFolder,
    masker: recording.masker,
    onTags: (tags) => recording.logTags(tags),
    onArtifact: ({ localPath, artifactFile }) => {
      const spoolPath = posix.join(journalFiles.spool, "provenance", posix.relative(outFolder, localPath));
      live.write({ op: "log-artifact", runId: header.runId, spoolPath, artifactFile });
    },
  });
}

async function describeGpus(recording: Recording, env: Environment): Promise<void> {
  const gpus = await readGpuInventory({ env });
  if (gpus.length > 0) recording.logTags([{ key: trackTags.gpus, value: JSON.stringify(gpus) }]);
}

/** The store's own files are neither dirt nor untracked files of the user's. */
function ownFiles(trackingUri: string): readonly string[] {
  const uri = parseTrackingUri(trackingUri);
  if (uri.kind !== "sqlite") return [];
  const folder = dirname(uri.path);
  return [
    uri.path,
    `${uri.path}-journal`,
    `${uri.path}-wal`,
    `${uri.path}-shm`,
    join(folder, "mlruns"),
    join(folder, ".track"),
  ];
}
