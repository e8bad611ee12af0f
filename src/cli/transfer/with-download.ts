import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import type { ArtifactRepository } from "../../artifacts/artifact-repository.ts";

/** Hands `use` a local copy of an artifact, which is gone afterwards. */
export async function withDownload(
  repository: ArtifactRepository,
  artifact: string,
  use: (path: string) => Promise<void>,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "track-artifact-"));
  try {
    const copy = join(folder, artifact === "" ? "artifacts" : basename(artifact));
    await repository.downloadArtifact(artifact, copy);
    await use(copy);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
