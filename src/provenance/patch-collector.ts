/** What git says of a binary file in a submodule, whose diff does not inherit `--binary`; `git apply` would refuse the whole patch. */
const unsaidContent = Buffer.from("\nBinary files ", "latin1");
const binaryContent = Buffer.from("\nGIT binary patch\n", "latin1");
const fileStart = Buffer.from("\ndiff --git ", "latin1");

/**
 * Takes a patch in pieces and keeps as many of its files as fit, each whole: a patch cut in a file would not apply at all.
 * A line that begins with `diff --git ` is nothing but the start of a file: content has a sign before it, base85 no blanks.
 */
export class PatchCollector {
  readonly #limitBytes: number;
  readonly #mask: (file: Buffer) => Buffer;
  readonly #kept: Buffer[] = [];
  #keptBytes = 0;
  #isTruncated = false;
  #hasInput = false;
  /** The file that is being read; `undefined` once it is too large. */
  #file: Buffer[] | undefined = [];
  #fileBytes = 0;
  /** End of what was pushed, where a file start may be cut by the chunk border; still to be added. */
  #rest: Buffer = Buffer.alloc(0);

  /** `mask` is given each file's part, but for binary ones: packed data shows no secret, and may look like one by chance. */
  constructor(limitBytes: number, mask: (file: Buffer) => Buffer) {
    this.#limitBytes = limitBytes;
    this.#mask = mask;
  }

  push(chunk: Buffer): void {
    this.#hasInput = true;
    const data = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let position = 0;
    for (let at = data.indexOf(fileStart); at !== -1; at = data.indexOf(fileStart, position)) {
      this.#add(data.subarray(position, at + 1));
      this.#closeFile();
      position = at + 1;
    }
    const safe = Math.max(position, data.length - fileStart.length + 1);
    this.#add(data.subarray(position, safe));
    this.#rest = data.subarray(safe);
  }

  /** `isComplete` false: the last file may lack its end and is left out. */
  end(isComplete: boolean): { readonly chunks: readonly Buffer[]; readonly isTruncated: boolean } {
    this.#add(this.#rest);
    this.#rest = Buffer.alloc(0);
    if (isComplete) this.#closeFile();
    return { chunks: this.#kept, isTruncated: this.#isTruncated || (!isComplete && this.#hasInput) };
  }

  #add(part: Buffer): void {
    this.#fileBytes += part.length;
    if (this.#keptBytes + this.#fileBytes > this.#limitBytes) this.#file = undefined;
    this.#file?.push(part);
  }

  #closeFile(): void {
    const file = this.#file === undefined ? undefined : Buffer.concat(this.#file);
    if (file === undefined || file.includes(unsaidContent)) {
      this.#isTruncated = true;
    } else {
      this.#kept.push(file.includes(binaryContent) ? file : this.#mask(file));
      this.#keptBytes += file.length;
    }
    this.#file = [];
    this.#fileBytes = 0;
  }
}
