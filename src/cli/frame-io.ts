import { type Io, oneLine, type Style } from "./io.ts";

/** An `Io` that keeps what is written, as one drawing for the terminal behind another `Io`. */
export class FrameIo implements Io {
  readonly isTerminal = true;
  readonly isErrTerminal = true;
  readonly columns: number;
  readonly rows: number;
  readonly isUtf8: boolean;
  /** What was written to stdout. */
  text = "";
  /** What was said of it, each a line. */
  readonly notices: string[] = [];
  readonly #terminal: Io;

  /** Two rows are kept free: for what is said, and for the line below. */
  constructor(terminal: Io) {
    this.#terminal = terminal;
    this.columns = terminal.columns;
    this.rows = Math.max(1, terminal.rows - 2);
    this.isUtf8 = terminal.isUtf8;
  }

  out(text: string): void {
    this.text += text;
  }

  err(text: string): void {
    this.notices.push(oneLine(text.trimEnd()));
  }

  say(message: string): void {
    this.notices.push(oneLine(message));
  }

  style(style: Style, text: string): string {
    return this.#terminal.style(style, text);
  }

  /** The same drawing with something else said of it. */
  withNotice(notice: string): FrameIo {
    const frame = new FrameIo(this.#terminal);
    frame.text = this.text;
    frame.say(notice);
    return frame;
  }
}
