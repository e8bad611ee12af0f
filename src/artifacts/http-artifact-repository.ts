import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, open, readdir, realpath, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { doesNotExist, StoreError } from "../errors.ts";
import type { HttpClient } from "../http/http-client.ts";
import { hasCode, messageOf } from "../util/error-code.ts";
import { randomHex } from "../util/ids.ts";
import { isJsonObject, readInteger, readList, readText } from "../wire/rest-json-values.ts";
import { checkArtifactPath } from "./artifact-path.ts";
import type { ArtifactFile, ArtifactRepository } from "./artifact-repository.ts";
import { contentTypeOf } from "./content-type.ts";
import { isTemporaryName } from "./copy-path.ts";

export interface HttpArtifactOptions {
  /** Bytes that went up or came down; a try that failed takes its own back (negative). */
  readonly onBytes?: (bytes: number) => void;
}

const readSizeBytes = 256 * 1024;

/** Artifacts behind MLflow's proxy, streamed both ways. What the network or the server does is `TEMPORARILY_UNAVAILABLE`. */
export class HttpArtifactRepository implements ArtifactRepository {
  readonly #client: HttpClient;
  readonly #root: string;
  readonly #options: HttpArtifactOptions;

  /** `root`: path of the run's artifacts below the proxy, such as `0/<run id>/artifacts`. */
  constructor(client: HttpClient, root: string, options: HttpArtifactOptions = {}) {
    this.#client = client;
    this.#root = root.replaceAll(/^\/+|\/+$/gu, "");
    this.#options = options;
  }

  async logArtifact(localPath: string, artifactFile: string): Promise<void> {
    checkArtifactPath(artifactFile);
    await this.#uploadPath(localPath, artifactFile, new Set());
  }

  async listArtifacts(folder = ""): Promise<readonly ArtifactFile[]> {
    checkArtifactPath(folder);
    const answer = await this.#client.json({
      method: "GET",
      path: "/api/2.0/mlflow-artifacts/artifacts",
      query: [["path", this.#pathOf(folder)]],
    });
    const files = readList(isJsonObject(answer) ? answer : {}, "files", (file): ArtifactFile => {
      const path = folder === "" ? readText(file, "path") : `${folder}/${readText(file, "path")}`;
      if (file["is_dir"] === true) return { path, isFolder: true };
      return { path, isFolder: false, size: readInteger(file, "file_size") ?? 0 };
    });
    return files.toSorted((a, b) => (a.path < b.path ? -1 : 1));
  }

  async downloadArtifact(artifactFile: string, localPath: string): Promise<void> {
    checkArtifactPath(artifactFile);
    const isFolder = artifactFile === "" || (await this.#find(artifactFile)).isFolder;
    await (isFolder ? this.#downloadFolder(artifactFile, localPath) : this.#downloadFile(artifactFile, localPath));
  }

  async deleteArtifacts(path = ""): Promise<void> {
    checkArtifactPath(path);
    try {
      await this.#client.json({ method: "DELETE", path: this.#urlPath(path) });
    } catch (error) {
      if (!(error instanceof StoreError) || error.errorCode !== "RESOURCE_DOES_NOT_EXIST") throw error;
    }
  }

  abort(): void {
    this.#client.abort();
  }

  close(): Promise<void> {
    return this.#client.close();
  }

  /** Folders above are not entered again, which a link could lead to. */
  async #uploadPath(localPath: string, artifactFile: string, above: ReadonlySet<string>): Promise<void> {
    const stats = await translate(localPath, () => stat(localPath));
    if (stats.isFile()) return await this.#uploadFile(localPath, artifactFile);
    if (!stats.isDirectory()) {
      throw new StoreError("INVALID_PARAMETER_VALUE", `neither a file nor a folder: ${localPath}`);
    }
    const real = await translate(localPath, () => realpath(localPath));
    if (above.has(real)) return;
    const names = await translate(localPath, () => readdir(localPath));
    for (const name of names.toSorted()) {
      if (isTemporaryName(name) || !(await isFileOrFolder(join(localPath, name)))) continue;
      await this.#uploadPath(join(localPath, name), `${artifactFile}/${name}`, new Set([...above, real]));
    }
  }

  async #uploadFile(localPath: string, artifactFile: string): Promise<void> {
    await using file = await translate(localPath, () => open(localPath));
    // What is appended meanwhile would be more than the announced length.
    const { size } = await file.stat();
    const counter = new Counter(this.#options.onBytes);
    const stream = () => {
      counter.restart();
      const reading = createReadStream(localPath, { end: size - 1, highWaterMark: readSizeBytes });
      return Readable.from(counter.pass(reading), { objectMode: false });
    };
    await this.#client.json({
      method: "PUT",
      path: this.#urlPath(artifactFile),
      headers: { "content-type": contentTypeOf(artifactFile), "content-length": String(size) },
      body: size === 0 ? () => "" : stream,
    });
  }

  async #downloadFolder(folder: string, localPath: string): Promise<void> {
    await translate(localPath, () => mkdir(localPath, { recursive: true }));
    for (const { path, isFolder } of await this.listArtifacts(folder)) {
      const target = join(localPath, path.slice(folder === "" ? 0 : folder.length + 1));
      await (isFolder ? this.#downloadFolder(path, target) : this.#downloadFile(path, target));
    }
  }

  /** Under its name only when it is complete. */
  async #downloadFile(artifactFile: string, localPath: string): Promise<void> {
    const temporary = join(dirname(localPath), `.track-${randomHex(6)}.tmp`);
    await translate(localPath, () => mkdir(dirname(localPath), { recursive: true }));
    const counter = new Counter(this.#options.onBytes);
    try {
      await this.#client.stream({ method: "GET", path: this.#urlPath(artifactFile) }, async (body) => {
        counter.restart();
        await pipeline(counter.pass(body), createWriteStream(temporary));
      });
      await translate(localPath, () => rename(temporary, localPath));
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  }

  async #find(artifactFile: string): Promise<ArtifactFile> {
    const slash = artifactFile.lastIndexOf("/");
    const files = await this.listArtifacts(slash < 0 ? "" : artifactFile.slice(0, slash));
    const found = files.find(({ path }) => path === artifactFile);
    if (found === undefined) throw doesNotExist(`no such file or folder: artifact ${artifactFile}`);
    return found;
  }

  #pathOf(artifactFile: string): string {
    return [this.#root, artifactFile].filter((part) => part !== "").join("/");
  }

  #urlPath(artifactFile: string): string {
    const parts = this.#pathOf(artifactFile).split("/").map(encodeURIComponent);
    return `/api/2.0/mlflow-artifacts/artifacts/${parts.join("/")}`;
  }
}

/** Bytes of one file, over all tries. */
class Counter {
  readonly #onBytes: ((bytes: number) => void) | undefined;
  #bytes = 0;

  constructor(onBytes: ((bytes: number) => void) | undefined) {
    this.#onBytes = onBytes;
  }

  restart(): void {
    if (this.#bytes > 0) this.#onBytes?.(-this.#bytes);
    this.#bytes = 0;
  }

  /** Pulled, never flowing by itself: what nobody takes yet is not read. */
  async *pass(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of source) {
      this.#bytes += chunk.length;
      this.#onBytes?.(chunk.length);
      yield chunk;
    }
  }
}

/** False for a socket, a pipe, a link to nothing, and for what has just gone. */
async function isFileOrFolder(path: string): Promise<boolean> {
  try {
    const stats = await stat(path);
    return stats.isFile() || stats.isDirectory();
  } catch (error) {
    if (hasCode(error, "ENOENT", "ELOOP")) return false;
    throw error;
  }
}

async function translate<Result>(what: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (hasCode(error, "ENOENT")) throw doesNotExist(`no such file or folder: ${what}`);
    if (hasCode(error, "EACCES", "EPERM")) throw new StoreError("PERMISSION_DENIED", `${what}: ${messageOf(error)}`);
    throw error;
  }
}
