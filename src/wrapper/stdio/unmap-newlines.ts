/**
 * How long a trailing `\r` waits for its `\n`: both come from one write inside the kernel, but a busy machine may take some ms between
 * handing out the one and the other. Nobody sees the wait: what stands before the `\r` is shown at once.
 */
const pairMs = 40;
const newline = 10;
const carriageReturn = 13;

/**
 * Takes back exactly what a pseudo terminal does to output, `\n` becoming `\r\n`, since the real terminal does it again.
 * (Turning it off instead would show: the settings of its stdout are the command's to look at.) Every `\n` that comes has had one
 * `\r` put before it, so nothing of the command's own is lost.
 */
export class NewlineUnmapper {
  readonly #deliver: (chunk: Buffer) => void;
  readonly #isPaused: () => boolean;
  #isReturnHeld = false;
  #pushes = 0;
  #timer: NodeJS.Timeout | undefined;

  /** While `isPaused`, nothing is read: a `\r` at the end waits on. */
  constructor(deliver: (chunk: Buffer) => void, isPaused: () => boolean) {
    this.#deliver = deliver;
    this.#isPaused = isPaused;
  }

  /** What comes out lies in the memory of `chunk`, which is written over. */
  push(chunk: Buffer): void {
    clearTimeout(this.#timer);
    this.#pushes += 1;
    if (this.#isReturnHeld) {
      this.#isReturnHeld = false;
      if (chunk[0] !== newline) this.#deliver(Buffer.from("\r"));
    }
    let end = chunk.length;
    if (chunk[end - 1] === carriageReturn) {
      end -= 1;
      this.#isReturnHeld = true;
      this.#waitForPair();
    }
    const length = unmap(chunk, end);
    if (length > 0) this.#deliver(chunk.subarray(0, length));
  }

  #waitForPair(): void {
    const pushes = this.#pushes;
    this.#timer = setTimeout(() => {
      if (this.#isPaused()) return this.#waitForPair();
      // A loop that comes late to its timers, or was paused until now, looks at its descriptors only after them.
      setImmediate(() => {
        if (this.#isReturnHeld && this.#pushes === pushes) this.flush();
      });
    }, pairMs);
  }

  /** Nothing more comes that could belong to a trailing `\r`. */
  flush(): void {
    clearTimeout(this.#timer);
    if (!this.#isReturnHeld) return;
    this.#isReturnHeld = false;
    this.#deliver(Buffer.from("\r"));
  }
}

/** Moves the first `end` bytes together over each `\r` before a `\n`; returns how many are left. */
function unmap(bytes: Buffer, end: number): number {
  let at = bytes.indexOf(carriageReturn);
  if (at === -1 || at >= end) return end;
  // Whole lines are moved: looking at each byte takes four times as long.
  let to = at;
  while (at < end) {
    const from = at + 1 < end && bytes[at + 1] === newline ? at + 1 : at;
    const next = bytes.indexOf(carriageReturn, at + 1);
    at = next === -1 ? end : Math.min(next, end);
    bytes.copyWithin(to, from, at);
    to += at - from;
  }
  return to;
}
