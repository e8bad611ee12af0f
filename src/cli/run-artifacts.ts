import type { ArtifactFile, ArtifactRepository } from "../artifacts/artifact-repository.ts";
import { StoreError } from "../errors.ts";

/** The artifacts of a run; `problem` says why they could not be listed, `hasMore` that there are more than are listed. */
export interface RunArtifacts {
  readonly files: readonly ArtifactFile[];
  readonly hasMore: boolean;
  readonly problem?: string;
}

const mostFiles = 200;

/** Lists the files of a run, folders walked through, at most 200. A repository that cannot be asked spoils nothing else. */
export async function listRunArtifacts(
  open: (artifactUri: string) => Promise<ArtifactRepository>,
  artifactUri: string,
): Promise<RunArtifacts> {
  const files: ArtifactFile[] = [];
  try {
    await collect(await open(artifactUri), undefined, files);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    return { files, hasMore: false, problem: error.message };
  }
  return { files: files.slice(0, mostFiles), hasMore: files.length > mostFiles };
}

async function collect(
  repository: ArtifactRepository,
  folder: string | undefined,
  files: ArtifactFile[],
): Promise<void> {
  for (const entry of await repository.listArtifacts(folder)) {
    if (files.length > mostFiles) return;
    if (entry.isFolder) await collect(repository, entry.path, files);
    else files.push(entry);
  }
}
