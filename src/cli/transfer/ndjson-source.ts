import { createReadStream, existsSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import type { ArtifactRepository } from "../../artifacts/artifact-repository.ts";
import { StoreError, TrackError } from "../../errors.ts";
import { messageOf } from "../../util/error-code.ts";
import type { ImportSource } from "./import-source.ts";
import { decodeRecord, type TransferRecord } from "./transfer-record.ts";

export interface NdjsonSourceOptions {
  /** As the user named it; `-` is what `stdin` gives. */
  readonly name: string;
  readonly path: string;
  readonly stdin: () => AsyncIterable<Uint8Array>;
  /** The folder that `track export --artifacts` filled. */
  readonly artifacts?: string;
  readonly openFolder: (path: string) => Promise<ArtifactRepository>;
}

/** What `track export` wrote. A line that is none of its own ends the reading with an error that names it. */
export function openNdjson(options: NdjsonSourceOptions): ImportSource {
  const openBelow = async (...parts: readonly string[]): Promise<ArtifactRepository | undefined> => {
    if (options.artifacts === undefined) return undefined;
    const folder = join(options.artifacts, ...parts);
    return existsSync(folder) ? await options.openFolder(folder) : undefined;
  };
  return {
    records: () => readRecords(options),
    openRunArtifacts: ({ info }) => openBelow(info.runId),
    openModelArtifacts: ({ modelId }) => openBelow("models", modelId),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

async function* readRecords({ name, path, stdin }: NdjsonSourceOptions): AsyncGenerator<TransferRecord> {
  const input = name === "-" ? Readable.from(stdin()) : createReadStream(path);
  // Without a listener of its own the interface would swallow what the stream answers.
  let fault: Error | undefined;
  input.on("error", (error: Error) => (fault = error));
  let number = 0;
  for await (const line of createInterface({ input, crlfDelay: Infinity })) {
    number += 1;
    if (line.trim() === "") continue;
    const record = readLine(line, `${name === "-" ? "stdin" : name}:${number}`);
    if (record !== undefined) yield record;
  }
  if (fault !== undefined) throw new TrackError(`cannot read ${name}: ${messageOf(fault)}`, { cause: fault });
}

function readLine(line: string, place: string): TransferRecord | undefined {
  try {
    return decodeRecord(line);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    const hint = "it takes what `track export` wrote, a folder `mlruns`, or a tracking URI";
    throw new TrackError(`${place}: ${error.message}`, { hint, cause: error });
  }
}
