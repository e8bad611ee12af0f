/** A place in the order of replies whose text comes later. */
export interface ReplySlot {
  text: string | undefined;
}

/** Replies in the order of their lines, however late each becomes known. */
export class ReplyQueue {
  readonly #waiting: ReplySlot[] = [];
  #waitingLength = 0;
  #ready = "";

  /** Characters of all replies that are known and not taken yet; nearly all are ASCII. */
  get length(): number {
    return this.#ready.length + this.#waitingLength;
  }

  /** Places whose text is not known, and what stands behind them. */
  get waitingCount(): number {
    return this.#waiting.length;
  }

  add(text: string): void {
    if (this.#waiting.length === 0) this.#ready += text;
    else {
      this.#waiting.push({ text });
      this.#waitingLength += text.length;
    }
  }

  reserve(): ReplySlot {
    const slot: ReplySlot = { text: undefined };
    this.#waiting.push(slot);
    return slot;
  }

  fill(slot: ReplySlot, text: string): void {
    slot.text = text;
    this.#waitingLength += text.length;
    const firstUnknown = this.#waiting.findIndex((waiting) => waiting.text === undefined);
    const known = this.#waiting.splice(0, firstUnknown === -1 ? this.#waiting.length : firstUnknown);
    for (const { text: reply = "" } of known) {
      this.#ready += reply;
      this.#waitingLength -= reply.length;
    }
  }

  /** What may be sent now. */
  take(): string {
    const ready = this.#ready;
    this.#ready = "";
    return ready;
  }
}
