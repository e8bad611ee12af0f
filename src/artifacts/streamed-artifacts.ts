import type { Readable } from "node:stream";
import type { ArtifactFile } from "./artifact-repository.ts";

/** The bytes of one artifact. Whoever gets it reads `stream` to its end or destroys it. */
export interface ArtifactContent {
  readonly size: number;
  readonly stream: Readable;
}

/**
 * Artifacts below one root as an HTTP server needs them: nothing is held in memory. Paths are relative to the root, POSIX and
 * normalized; any other is refused with `INVALID_PARAMETER_VALUE`.
 */
export interface StreamedArtifacts {
  /** Takes the bytes as they come. The file is there under its name only once all came; a stream that breaks leaves nothing and rejects. */
  writeArtifact(artifactFile: string, content: Readable): Promise<void>;
  /** Missing: `RESOURCE_DOES_NOT_EXIST`; a folder: `INVALID_PARAMETER_VALUE`. */
  readArtifact(artifactFile: string): Promise<ArtifactContent>;
  /** Sorted by path, which is relative to the root; empty for an unknown folder. */
  listArtifacts(folder?: string): Promise<readonly ArtifactFile[]>;
  /** A file or a whole folder. */
  deleteArtifacts(path?: string): Promise<void>;
}
