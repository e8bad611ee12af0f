export interface ArtifactFile {
  /** Relative to the run's artifact root, POSIX. */
  readonly path: string;
  readonly isFolder: boolean;
  /** Bytes; absent for folders. */
  readonly size?: number;
}

/**
 * Where the artifacts of one run lie. Paths are relative to the run's root, POSIX and normalized;
 * one with `..`, a leading `/`, or `//` is refused with `INVALID_PARAMETER_VALUE`. Folders are made as needed.
 */
export interface ArtifactRepository {
  /** Copies a local file or folder to `artifactFile` (the path of the file or folder itself), replacing a file of that name. */
  logArtifact(localPath: string, artifactFile: string): Promise<void>;
  /** Sorted by path; empty for an unknown folder, as MLflow answers. */
  listArtifacts(folder?: string): Promise<readonly ArtifactFile[]>;
  /** Missing: `RESOURCE_DOES_NOT_EXIST`. */
  downloadArtifact(artifactFile: string, localPath: string): Promise<void>;
  deleteArtifacts(path?: string): Promise<void>;
  /** The local path behind an artifact, where the repository is a folder of this machine. */
  localPath?(artifactFile: string): string;
  /** Ends the connections to a server, where there are any. */
  close?(): Promise<void>;
  /** What is under way, and all that comes later, fails with `TEMPORARILY_UNAVAILABLE`; only where a server may keep silent. */
  abort?(): void;
}
