const newline = 10;
const carriageReturn = 13;

/**
 * Folds what carriage returns write over, as progress bars do: of each line the part that stood last is left. Works on bytes,
 * wherever its chunks are cut; a line is handed out once it has ended.
 */
export class ReturnFolder {
  #rest: Buffer = Buffer.alloc(0);

  /** The lines that are complete by now. */
  push(chunk: Buffer): Buffer {
    const text = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const end = text.lastIndexOf(newline) + 1;
    // A bar that goes on for hours must not pile up: only its last part can still count.
    this.#rest = Buffer.from(lastParts(text.subarray(end)));
    return fold(text.subarray(0, end));
  }

  /** What is left of a last line without an end. */
  end(): Buffer {
    const rest = fold(this.#rest);
    this.#rest = Buffer.alloc(0);
    return rest;
  }
}

function fold(text: Buffer): Buffer {
  if (!text.includes(carriageReturn)) return text;
  const parts: Buffer[] = [];
  for (let start = 0; start < text.length;) {
    const found = text.indexOf(newline, start);
    const end = found === -1 ? text.length : found;
    const line = trimReturns(text.subarray(start, end));
    parts.push(line.subarray(line.lastIndexOf(carriageReturn) + 1), text.subarray(end, end + 1));
    start = end + 1;
  }
  return Buffer.concat(parts);
}

/** Returns at the end move the cursor and erase nothing. */
function trimReturns(line: Buffer): Buffer {
  let end = line.length;
  while (end > 0 && line[end - 1] === carriageReturn) end -= 1;
  return line.subarray(0, end);
}

/** An unfinished line from its last visible part on, the returns behind that included. */
function lastParts(line: Buffer): Buffer {
  return line.subarray(trimReturns(line).lastIndexOf(carriageReturn) + 1);
}
