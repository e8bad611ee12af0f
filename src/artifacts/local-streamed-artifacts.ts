import { constants, createWriteStream } from "node:fs";
import { mkdir, open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { doesNotExist, invalidParameter } from "../errors.ts";
import { hasCode } from "../util/error-code.ts";
import { randomHex } from "../util/ids.ts";
import { LocalArtifactRepository, translateErrors } from "./local-artifact-repository.ts";
import type { ArtifactContent, StreamedArtifacts } from "./streamed-artifacts.ts";

/** Artifacts in a folder of this machine, taken and given as streams. */
export class LocalStreamedArtifacts extends LocalArtifactRepository implements StreamedArtifacts {
  async writeArtifact(artifactFile: string, content: Readable): Promise<void> {
    if (artifactFile === "") throw invalidParameter("an artifact needs a name");
    const target = this.localPath(artifactFile);
    await translateErrors(`artifact ${artifactFile}`, async () => {
      await mkdir(dirname(target), { recursive: true });
      const temporary = join(dirname(target), `.track-${randomHex(6)}.tmp`);
      try {
        await pipeline(content, createWriteStream(temporary, { flags: "wx" }));
        await rename(temporary, target);
      } catch (error) {
        await rm(temporary, { force: true });
        throw error;
      }
    });
  }

  async readArtifact(artifactFile: string): Promise<ArtifactContent> {
    const path = this.localPath(artifactFile);
    return translateErrors(`artifact ${artifactFile}`, async () => {
      // Not blocking, so that a named pipe among the artifacts holds nobody up.
      const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch((error: unknown) => {
        throw hasCode(error, "ENOTDIR") ? doesNotExist(`no such file: artifact ${artifactFile}`) : error;
      });
      const stats = await handle.stat();
      if (!stats.isFile()) {
        await handle.close();
        throw invalidParameter(`Artifact path refers to a directory, not a file: '${artifactFile}'`);
      }
      // A file that grows while it is read does not overrun the size that was said.
      if (stats.size > 0) return { size: stats.size, stream: handle.createReadStream({ end: stats.size - 1 }) };
      await handle.close();
      return { size: 0, stream: Readable.from([]) };
    });
  }
}
