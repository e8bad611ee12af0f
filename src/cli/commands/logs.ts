import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ArtifactRepository } from "../../artifacts/artifact-repository.ts";
import type { Run } from "../../entities/run.ts";
import { trackTags } from "../../entities/tag-keys.ts";
import { StoreError, TrackError } from "../../errors.ts";
import { hasCode } from "../../util/error-code.ts";
import { sleep } from "../../util/sleep.ts";
import type { Context } from "../context.ts";
import { findLiveJournalOf, type LiveJournal } from "../find-live-run.ts";
import { findRun } from "../find-run.ts";
import { ReturnFolder } from "../fold-returns.ts";
import { openExisting } from "../open-for-reading.ts";

export interface LogsOptions {
  /** Goes on until the run has ended. */
  readonly follow?: boolean;
  /** Absent: the latest. */
  readonly attempt?: number;
  /** The bytes as they were written. */
  readonly raw?: boolean;
  readonly trackingUri?: string;
}

const pollMs = 200;
const readBytes = 256 * 1024;

/** Prints the console log of one attempt: of a run that lives on this host as far as it goes, else the stored one. */
export async function logs(context: Context, options: LogsOptions, name: string): Promise<void> {
  const run = await readRun(context, options, name);
  const attempt = options.attempt ?? Number(tagOf(run, trackTags.attempt) ?? 1);
  const sink = new LogSink(context, { isRaw: isRaw(context, options) });
  const findLive = (): LiveJournal | undefined => {
    const journal = findLiveJournalOf(context, run.info.runId, options.trackingUri);
    return journal?.header.attempt === attempt ? journal : undefined;
  };
  const live = findLive();
  if (live === undefined) {
    await printStored(run, attempt, sink, await context.openArtifacts(run.info.artifactUri, options.trackingUri));
  } else await printLive(live, sink, options.follow === true ? findLive : undefined);
  sink.end();
}

/** A terminal folds by itself, and shows a bar while it moves. */
function isRaw(context: Context, { raw, follow }: LogsOptions): boolean {
  return raw === true || (follow === true && context.io.isTerminal);
}

async function readRun(context: Context, { trackingUri }: LogsOptions, name: string): Promise<Run> {
  await using store = await openExisting(context, "read", trackingUri);
  return await findRun(store, name);
}

const tagOf = (run: Run, key: string): string | undefined => run.data.tags.find((tag) => tag.key === key)?.value;

/** Where what is read goes to stdout, folded or not. */
class LogSink {
  readonly #context: Context;
  readonly #folder: ReturnFolder | undefined;

  constructor(context: Context, { isRaw }: { readonly isRaw: boolean }) {
    this.#context = context;
    this.#folder = isRaw ? undefined : new ReturnFolder();
  }

  write(bytes: Buffer): void {
    this.#out(this.#folder === undefined ? bytes : this.#folder.push(bytes));
  }

  end(): void {
    if (this.#folder !== undefined) this.#out(this.#folder.end());
  }

  #out(bytes: Buffer): void {
    if (bytes.length > 0) this.#context.io.out(bytes);
  }
}

async function printStored(run: Run, attempt: number, sink: LogSink, repository: ArtifactRepository): Promise<void> {
  const artifactFile = `console/attempt-${attempt}.log`;
  const folder = await mkdtemp(join(tmpdir(), "track-logs-"));
  try {
    const path = repository.localPath?.(artifactFile) ?? join(folder, "log");
    if (repository.localPath === undefined) await repository.downloadArtifact(artifactFile, path);
    using file = new LogFile(path);
    file.readTo(sink);
  } catch (error) {
    const isMissing =
      error instanceof StoreError ? error.errorCode === "RESOURCE_DOES_NOT_EXIST" : hasCode(error, "ENOENT");
    if (!isMissing) throw error;
    throw noLog(run, attempt, await attemptsOf(repository.listArtifacts("console")));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function attemptsOf(listed: Promise<readonly { readonly path: string }[]>): Promise<readonly string[]> {
  return (await listed).flatMap(({ path }) => /^console\/attempt-(\d+)\.log$/u.exec(path)?.[1] ?? []);
}

function noLog(run: Run, attempt: number, attempts: readonly string[]): TrackError {
  const id = run.info.runId.slice(0, 8);
  return new TrackError(`run ${id} has no console log of attempt ${attempt}`, {
    hint:
      attempts.length > 0
        ? `track logs ${id} --attempt ${attempts.at(-1)}`
        : "nothing was said, it was not captured (--capture off), or it is not stored yet",
  });
}

/** What the recorder has taken in, until `findLive` finds the run no more; without it once. */
async function printLive(journal: LiveJournal, sink: LogSink, findLive?: () => LiveJournal | undefined): Promise<void> {
  using file = await openGrowing(journal, findLive);
  if (file === undefined) return;
  for (;;) {
    // Looked up before reading: what is written until the end is then read after it.
    const isOver = findLive === undefined || (findLive() === undefined && !isGrowing(journal));
    file.readTo(sink);
    if (isOver) return;
    await sleep(pollMs);
  }
}

/** `undefined` where nothing has been said yet and nothing more is waited for. */
async function openGrowing(
  journal: LiveJournal,
  findLive?: () => LiveJournal | undefined,
): Promise<LogFile | undefined> {
  for (;;) {
    const isOver = findLive === undefined || findLive() === undefined;
    try {
      return new LogFile(journal.consolePart);
    } catch (error) {
      if (!hasCode(error, "ENOENT")) throw error;
    }
    if (isOver) return undefined;
    await sleep(pollMs);
  }
}

/** The recorder renames the log when it is complete. */
function isGrowing({ consolePart }: LiveJournal): boolean {
  try {
    closeSync(openSync(consolePart, "r"));
    return true;
  } catch (error) {
    if (hasCode(error, "ENOENT")) return false;
    throw error;
  }
}

/** A log that may grow; one that is begun anew (by the next recorder) is waited for until it has caught up. */
class LogFile implements Disposable {
  readonly #fd: number;
  readonly #buffer = Buffer.allocUnsafe(readBytes);
  #offset = 0;

  constructor(path: string) {
    this.#fd = openSync(path, "r");
  }

  readTo(sink: LogSink): void {
    const { size } = fstatSync(this.#fd);
    while (this.#offset < size) {
      const count = readSync(this.#fd, this.#buffer, 0, Math.min(readBytes, size - this.#offset), this.#offset);
      if (count === 0) return;
      this.#offset += count;
      sink.write(this.#buffer.subarray(0, count));
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}
