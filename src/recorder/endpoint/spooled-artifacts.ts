import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, rm, stat } from "node:fs/promises";
import { dirname, join, posix } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ArtifactFile } from "../../artifacts/artifact-repository.ts";
import { checkArtifactPath } from "../../artifacts/artifact-path.ts";
import type { ArtifactContent, StreamedArtifacts } from "../../artifacts/streamed-artifacts.ts";
import { doesNotExist, StoreError } from "../../errors.ts";
import { randomHex } from "../../util/ids.ts";
import { journalFiles } from "../../wire/journal-header.ts";
import type { EndpointState } from "./endpoint-state.ts";

/**
 * What `mlflow-artifacts:/` stands for: the place of runs whose own the store could not tell in time, as `<run id>/artifacts/<path>`.
 * Files go to the journal's spool and from there, in their turn, to the run's artifacts.
 */
export class SpooledArtifacts implements StreamedArtifacts {
  readonly #state: EndpointState;
  /** Spooled files by their path here, until they are stored. */
  readonly #spooled = new Map<string, string>();

  constructor(state: EndpointState) {
    this.#state = state;
  }

  async writeArtifact(artifactFile: string, content: Readable): Promise<void> {
    const { runId, path } = parse(artifactFile);
    const { recording, folder, own } = this.#state;
    // Of a run that nobody knows, nothing could ever be stored.
    if (runId !== own.id) await this.#state.find(runId);
    const spoolPath = posix.join(journalFiles.spool, randomHex(6), posix.basename(path));
    const target = join(folder, spoolPath);
    await mkdir(dirname(target), { recursive: true, mode: 0o700 });
    try {
      await pipeline(content, createWriteStream(target, { mode: 0o600 }));
    } catch (error) {
      await rm(dirname(target), { recursive: true, force: true });
      throw error;
    }
    recording.live.write({ op: "log-artifact", runId, spoolPath, artifactFile: path });
    this.#spooled.set(artifactFile, target);
    await recording.written();
  }

  async readArtifact(artifactFile: string): Promise<ArtifactContent> {
    parse(artifactFile);
    const path = this.#spooled.get(artifactFile);
    try {
      if (path !== undefined) return { size: (await stat(path)).size, stream: createReadStream(path) };
    } catch (error) {
      // It is stored by now, and its copy here gone.
      if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
    }
    throw doesNotExist(`No such artifact: '${artifactFile}'`);
  }

  async listArtifacts(folder = ""): Promise<readonly ArtifactFile[]> {
    const prefix = folder === "" ? "" : `${folder}/`;
    const files = new Map<string, ArtifactFile>();
    for (const [path, spooled] of this.#spooled) {
      if (!path.startsWith(prefix)) continue;
      const [name = "", ...rest] = path.slice(prefix.length).split("/");
      const size = rest.length > 0 ? undefined : (await stat(spooled).catch(() => undefined))?.size;
      files.set(name, { path: prefix + name, isFolder: rest.length > 0, ...(size !== undefined && { size }) });
    }
    return [...files.values()].toSorted((a, b) => (a.path < b.path ? -1 : 1));
  }

  deleteArtifacts(): Promise<void> {
    return Promise.reject(new StoreError("NOT_IMPLEMENTED", "artifacts on their way cannot be deleted"));
  }
}

function parse(artifactFile: string): { readonly runId: string; readonly path: string } {
  checkArtifactPath(artifactFile);
  const [runId = "", artifacts, ...path] = artifactFile.split("/");
  if (artifacts !== "artifacts" || path.length === 0) throw doesNotExist(`No such artifact: '${artifactFile}'`);
  return { runId, path: path.join("/") };
}
