import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, rm, stat } from "node:fs/promises";
import { dirname, join, posix } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ArtifactFile } from "../../artifacts/artifact-repository.ts";
import { checkArtifactPath } from "../../artifacts/artifact-path.ts";
import type { ArtifactContent, StreamedArtifacts } from "../../artifacts/streamed-artifacts.ts";
import { doesNotExist, isTransient, StoreError } from "../../errors.ts";
import { randomHex } from "../../util/ids.ts";
import { journalFiles } from "../../wire/journal-header.ts";
import type { EndpointState } from "./endpoint-state.ts";
import { withModel } from "./journaled-models.ts";

/** A file of a run or a logged model that the command's processes have made. */
export interface FamilyFile {
  /** The journal's id of the run, or the model. */
  readonly id: string;
  readonly isModel: boolean;
  /** Below its artifacts; empty for all of them. */
  readonly path: string;
  /** Named by the place that we give, not by the store's. */
  readonly isOurPlace: boolean;
}

/** The place of a run or a model whose own the store could not tell in time: its files go to our spool. */
export const spooledUri = (id: string): string => `mlflow-artifacts:/${id}/artifacts`;

const placePattern = /(?<![\da-z])((?:m-)?[\da-f]{32})\/artifacts(?:\/(.*))?$/su;
const spooledUriPattern = /mlflow-artifacts:\/((?:m-)?[\da-f]{32})\/artifacts/gu;
const proxyUrl = /^(\/(?:ajax-)?api\/2\.0\/mlflow-artifacts\/artifacts\/)([^?]+)$/u;

/**
 * What `mlflow-artifacts:/` stands for where the command's own files go: `<id>/artifacts/<path>`, or the place that a tracking
 * server has for them. Files go to the journal's spool and from there, in their turn, to the artifacts of the run or model.
 */
export class SpooledArtifacts implements StreamedArtifacts {
  readonly #state: EndpointState;
  /** Spooled files by id and path, until they are stored. */
  readonly #spooled = new Map<string, string>();

  constructor(state: EndpointState) {
    this.#state = state;
  }

  /** Whose file it is; `undefined` where it is none of the command's. */
  find(artifactFile: string): FamilyFile | undefined {
    const [whole, said = "", path = ""] = placePattern.exec(artifactFile) ?? [];
    if (whole === undefined) return undefined;
    const id = this.#state.ids.toJournal(said);
    const isModel = said.startsWith("m-");
    const isOurs = isModel ? this.#state.models.get(id) !== undefined : this.#state.isFamily(id);
    return isOurs ? { id, isModel, path, isOurPlace: whole.length === artifactFile.length } : undefined;
  }

  /** It still lies here. */
  async isSpooled(file: FamilyFile): Promise<boolean> {
    const path = this.#spooled.get(keyOf(file));
    return path !== undefined && (await sizeOf(path)) !== undefined;
  }

  /** The URL of a proxied file as the server knows it; any other as it is. */
  async urlOnServer(url: string): Promise<string> {
    const [, prefix, said] = proxyUrl.exec(url) ?? [];
    const file = said === undefined ? undefined : this.find(said);
    if (prefix === undefined || file?.isOurPlace !== true) return url;
    const root = await this.#state.storedPlace(file.id, file.isModel);
    const below = /^mlflow-artifacts:\/+(?:[^/]+:\d+\/)?(.*)$/u.exec(root ?? "")?.[1];
    return below === undefined ? url : `${prefix}${below}/${file.path}`;
  }

  /** A message of the command's with the store's places instead of ours. */
  async withPlacesOnServer(text: string): Promise<string> {
    const places = new Map<string, string>();
    for (const [uri, said = ""] of text.matchAll(spooledUriPattern)) {
      const file = this.find(`${said}/artifacts`);
      const place = file === undefined ? undefined : await this.#state.storedPlace(file.id, file.isModel);
      if (place !== undefined) places.set(uri, place);
    }
    return places.size === 0 ? text : text.replaceAll(spooledUriPattern, (uri) => places.get(uri) ?? uri);
  }

  /** A database may have an experiment whose files lie behind some server's proxy, which we do not know. */
  async #refuseUnreachable({ id, isModel }: FamilyFile): Promise<void> {
    if (this.#state.recording.isServer || id === this.#state.own.id) return;
    const place = isModel
      ? (await withModel(this.#state, id)).artifactLocation
      : (await this.#state.find(id)).info.artifactUri;
    if (!place.startsWith("mlflow-artifacts:")) return;
    throw new StoreError("NOT_IMPLEMENTED", `artifacts are not served from there: ${place}`);
  }

  async writeArtifact(artifactFile: string, content: Readable): Promise<void> {
    const found = this.#need(artifactFile);
    const { recording, folder } = this.#state;
    await this.#refuseUnreachable(found);
    const spoolPath = posix.join(journalFiles.spool, randomHex(6), posix.basename(found.path));
    const target = join(folder, spoolPath);
    await mkdir(dirname(target), { recursive: true, mode: 0o700 });
    try {
      await pipeline(content, createWriteStream(target, { mode: 0o600 }));
    } catch (error) {
      await rm(dirname(target), { recursive: true, force: true });
      throw error;
    }
    const subject = found.isModel ? { runId: this.#state.own.id, modelId: found.id } : { runId: found.id };
    recording.live.write({ op: "log-artifact", ...subject, spoolPath, artifactFile: found.path });
    this.#spooled.set(keyOf(found), target);
    await recording.written();
  }

  async readArtifact(artifactFile: string): Promise<ArtifactContent> {
    const path = this.#spooled.get(keyOf(this.#need(artifactFile)));
    const size = path === undefined ? undefined : await sizeOf(path);
    if (path !== undefined && size !== undefined) return { size, stream: createReadStream(path) };
    throw doesNotExist(`No such artifact: '${artifactFile}'`);
  }

  /** With what a tracking server has, where it can be asked. */
  async listArtifacts(folder = ""): Promise<readonly ArtifactFile[]> {
    const found = this.find(folder);
    if (found === undefined) return [];
    const outer = found.path === "" ? folder : folder.slice(0, -found.path.length - 1);
    const files = new Map(
      (await this.#stored(found)).map((file) => [`${outer}/${file.path}`, { ...file, path: `${outer}/${file.path}` }]),
    );
    const prefix = keyOf({ ...found, path: found.path === "" ? "" : `${found.path}/` });
    for (const [key, spooled] of this.#spooled) {
      if (!key.startsWith(prefix)) continue;
      const [name = "", ...rest] = key.slice(prefix.length).split("/");
      const size = rest.length > 0 ? undefined : await sizeOf(spooled);
      const path = `${folder}/${name}`;
      if (rest.length > 0) files.set(path, { path, isFolder: true });
      else if (size !== undefined) files.set(path, { path, isFolder: false, size });
    }
    return [...files.values()].toSorted((a, b) => (a.path < b.path ? -1 : 1));
  }

  deleteArtifacts(): Promise<void> {
    return Promise.reject(new StoreError("NOT_IMPLEMENTED", "artifacts on their way cannot be deleted"));
  }

  async #stored({ id, isModel, path }: FamilyFile): Promise<readonly ArtifactFile[]> {
    const { recording } = this.#state;
    if (!recording.isServer || recording.isStoreAway) return [];
    try {
      const place = await this.#state.storedPlace(id, isModel);
      return place === undefined ? [] : await recording.openArtifacts(place).listArtifacts(path);
    } catch (error) {
      if (isTransient(error)) return [];
      throw error;
    }
  }

  #need(artifactFile: string): FamilyFile {
    checkArtifactPath(artifactFile);
    const found = this.find(artifactFile);
    if (found === undefined || found.path === "") throw doesNotExist(`No such artifact: '${artifactFile}'`);
    return found;
  }
}

const keyOf = ({ id, path }: Pick<FamilyFile, "id" | "path">): string => `${id}/${path}`;

/** `undefined` for a file that is gone: it is stored by now. */
async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}
