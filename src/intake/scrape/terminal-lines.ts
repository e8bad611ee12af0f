import { StringDecoder } from "node:string_decoder";

/**
 * What stood on one line of a terminal. `isFinal`: the line was left by a newline; else it is about to be drawn over, by a
 * carriage return, backspaces or a movement of the cursor.
 */
export type OnTerminalLine = (text: string, isFinal: boolean) => void;

/** A longer line says no metric in passing; characters. */
const lineLimit = 64 * 1024;

const colours = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)|[()][A-Z0-9]|[@-Z\\^_=>78])/gu;
const movements = /\u001b\[[0-?]*[ABCDEFGHKJ]/gu;
const cutSequence = /\u001b(?:\[[0-?]*[ -/]*|\][^\u0007\u001b]{0,400})?$/u;

/** Cuts console output into what a reader of the terminal saw, line by line; chunks may be cut anywhere. */
export class TerminalLines {
  readonly #onLine: OnTerminalLine;
  readonly #decoder = new StringDecoder("utf8");
  #partial = "";
  #isSkipping = false;
  /** Stood before a carriage return: final if a newline follows, else drawn over. */
  #returned: string | undefined;
  #cutSequence = "";

  constructor(onLine: OnTerminalLine) {
    this.#onLine = onLine;
  }

  push(bytes: Buffer): void {
    const text = this.#withoutSequences(this.#cutSequence + this.#decoder.write(bytes));
    if (this.#returned === undefined && !/[\r\b]/u.test(text)) this.#pushPlain(text);
    else this.#pushControlled(text);
  }

  /** The output is over: what stands on the last line is final. */
  finish(): void {
    const text = this.#returned ?? this.#partial;
    this.#returned = undefined;
    this.#partial = "";
    this.#cutSequence = "";
    if (text !== "" && !this.#isSkipping) this.#onLine(text, true);
  }

  #withoutSequences(text: string): string {
    this.#cutSequence = "";
    if (!text.includes("\u001b")) return text;
    const cut = cutSequence.exec(text.slice(-500));
    this.#cutSequence = cut?.[0] ?? "";
    return text
      .slice(0, text.length - this.#cutSequence.length)
      .replaceAll(movements, "\r")
      .replaceAll(colours, "");
  }

  #pushPlain(text: string): void {
    let from = 0;
    for (let end = text.indexOf("\n"); end !== -1; end = text.indexOf("\n", from)) {
      this.#endLine(text.slice(from, end));
      from = end + 1;
    }
    this.#append(text.slice(from));
  }

  #pushControlled(text: string): void {
    for (const [piece] of text.matchAll(/[^\n\r\b]+|\n|\r+|\u0008+/gu)) {
      const first = piece.charAt(0);
      if (first === "\n") this.#newline();
      else if (first === "\r") this.#return();
      else if (first === "\b") this.#back(piece.length);
      else {
        this.#drawOver();
        this.#append(piece);
      }
    }
  }

  #newline(): void {
    if (this.#partial === "" && this.#returned !== undefined) this.#partial = this.#returned;
    this.#returned = undefined;
    this.#endLine("");
  }

  #return(): void {
    this.#isSkipping = false;
    if (this.#partial === "") return;
    this.#drawOver();
    this.#returned = this.#partial;
    this.#partial = "";
  }

  #drawOver(): void {
    const text = this.#returned;
    this.#returned = undefined;
    if (text !== undefined) this.#onLine(text, false);
  }

  #back(count: number): void {
    this.#drawOver();
    if (this.#partial === "") return;
    if (!this.#isSkipping) this.#onLine(this.#partial, false);
    this.#partial = this.#partial.slice(0, Math.max(0, this.#partial.length - count));
  }

  #append(text: string): void {
    if (text === "") return;
    this.#partial += text;
    if (this.#partial.length <= lineLimit) return;
    this.#partial = "";
    this.#isSkipping = true;
  }

  #endLine(rest: string): void {
    const text = this.#partial === "" ? rest : this.#partial + rest;
    this.#partial = "";
    if (this.#isSkipping) this.#isSkipping = false;
    else if (text.length <= lineLimit) this.#onLine(text, true);
  }
}
