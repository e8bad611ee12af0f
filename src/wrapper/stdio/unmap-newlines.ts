/** How long a trailing `\r` waits for its `\n`: both come from one write inside the kernel. */
const pairMs = 3;

/**
 * Takes back exactly what a pseudo terminal does to output, `\n` becoming `\r\n`, since the real terminal does it again.
 * (Turning it off instead would show: the settings of its stdout are the command's to look at.) Every `\n` that comes has had one
 * `\r` put before it, so nothing of the command's own is lost.
 */
export class NewlineUnmapper {
  readonly #deliver: (chunk: Buffer) => void;
  #heldReturn = "";
  #timer: NodeJS.Timeout | undefined;

  constructor(deliver: (chunk: Buffer) => void) {
    this.#deliver = deliver;
  }

  push(chunk: Buffer): void {
    clearTimeout(this.#timer);
    let text = this.#heldReturn + chunk.toString("latin1");
    this.#heldReturn = "";
    if (text.endsWith("\r")) {
      text = text.slice(0, -1);
      this.#heldReturn = "\r";
      this.#timer = setTimeout(() => this.flush(), pairMs);
    }
    if (text !== "") this.#deliver(Buffer.from(text.replaceAll("\r\n", "\n"), "latin1"));
  }

  /** Nothing more comes that could belong to a trailing `\r`. */
  flush(): void {
    clearTimeout(this.#timer);
    const held = this.#heldReturn;
    this.#heldReturn = "";
    if (held !== "") this.#deliver(Buffer.from(held, "latin1"));
  }
}
