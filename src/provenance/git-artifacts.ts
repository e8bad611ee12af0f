import { writeFile } from "node:fs/promises";
import type { SecretMasker } from "../wire/redact.ts";
import type { GitRepository } from "./git-command.ts";
import { PatchCollector } from "./patch-collector.ts";

export interface WrittenFile {
  /** False: there was nothing to say, and no file was written. */
  readonly isWritten: boolean;
  /** Something was left out: over the limit, or git did not come to an end. */
  readonly isTruncated: boolean;
}

export interface GitFileOptions {
  readonly masker: SecretMasker;
  /** Bytes of the diff, or number of untracked names. */
  readonly limit?: number;
}

const diffLimitBytes = 10_000_000;
const untrackedLimit = 10_000;

/**
 * Writes `git diff HEAD` so that `git apply` takes it: files that don't fit into the limit are left out whole.
 * Where a secret was masked in a line that must match, that file of the patch does not apply any more.
 */
export async function writeGitDiff(
  repository: GitRepository,
  target: string,
  options: GitFileOptions,
): Promise<WrittenFile> {
  const patch = new PatchCollector(options.limit ?? diffLimitBytes, (file) => {
    const masker = options.masker.createStreamMasker();
    return Buffer.concat([masker.push(file), masker.end()]);
  });
  const onChunk = (chunk: Buffer): boolean => {
    patch.push(chunk);
    return true;
  };
  const result = await repository.run([...diffArguments, "--", ...repository.pathspecs], { onChunk });
  const { chunks, isTruncated } = patch.end(result.exitCode === 0);
  return write(target, chunks, isTruncated);
}

/** Writes the names of untracked files that are not ignored, one a line, relative to the root, odd ones quoted as git does. */
export async function writeUntracked(
  repository: GitRepository,
  target: string,
  options: GitFileOptions,
): Promise<WrittenFile> {
  const limit = options.limit ?? untrackedLimit;
  const masker = options.masker.createStreamMasker();
  const chunks: Buffer[] = [];
  let names = 0;
  let isCut = false;
  const onChunk = (chunk: Buffer): boolean => {
    const end = endOfLine(chunk, limit - names);
    chunks.push(Buffer.from(masker.push(chunk.subarray(0, end.index))));
    names += end.lines;
    isCut = end.index < chunk.length;
    return !isCut;
  };
  const listing = ["ls-files", "--others", "--exclude-standard", "--full-name", "--", ...repository.pathspecs];
  const result = await repository.run(listing, { onChunk });
  chunks.push(masker.end());
  return write(target, chunks, isCut || (names > 0 && result.exitCode !== 0));
}

const diffArguments = [
  "diff",
  "HEAD",
  "--binary",
  "--submodule=diff",
  "--ignore-submodules=untracked",
  "--no-ext-diff",
  "--no-textconv",
  "--no-color",
  "--src-prefix=a/",
  "--dst-prefix=b/",
  "-O/dev/null",
];

/** Where the `lines`-th line of `chunk` ends, and how many of them there are. */
function endOfLine(chunk: Buffer, lines: number): { readonly index: number; readonly lines: number } {
  let found = 0;
  let index = 0;
  while (found < lines) {
    const newline = chunk.indexOf(10, index);
    if (newline === -1) return { index: chunk.length, lines: found };
    index = newline + 1;
    found += 1;
  }
  return { index, lines: found };
}

async function write(target: string, chunks: readonly Buffer[], isTruncated: boolean): Promise<WrittenFile> {
  const isWritten = chunks.some((chunk) => chunk.length > 0);
  if (isWritten) await writeFile(target, chunks, { mode: 0o600 });
  return { isWritten, isTruncated };
}
