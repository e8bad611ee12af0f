import { cutToWidth } from "../util/text-width.ts";
import type { FrameIo } from "./frame-io.ts";
import { formatLocalTime } from "./format-time.ts";
import type { Io } from "./io.ts";
import { ellipsisOf } from "./table.ts";

export type LiveEvent = { readonly kind: "draw" } | { readonly kind: "end"; readonly exitCode: number };

/** Another screen, no cursor, no wrapping of long lines; and all of it back. */
const enterScreen = "\u001b[?1049h\u001b[?25l\u001b[?7l";
const leaveScreen = "\u001b[?7h\u001b[?25h\u001b[?1049l";
const home = "\u001b[H";
const clearLine = "\u001b[K";
const clearBelow = "\u001b[J";

const endings: Readonly<Partial<Record<NodeJS.Signals, number>>> = { SIGINT: 0, SIGTERM: 143, SIGHUP: 129 };

/**
 * The terminal's other screen, on which a drawing replaces the one before it without flicker. Keys: `q` and ^C end it, ^Z
 * stops it, any other draws at once. Disposing of it leaves the terminal as it was found.
 */
export class LiveScreen implements Disposable {
  readonly #io: Io;
  readonly #cleanUps: (() => void)[] = [];
  #isShown = false;
  #event: LiveEvent | undefined;
  #wake: (() => void) | undefined;

  constructor(io: Io) {
    this.#io = io;
    this.#enter();
    this.#listen();
  }

  /** Draws it, as far as the screen reaches, with a line below that says how to end. */
  show(frame: FrameIo): void {
    if (!this.#isShown) return;
    const rows = Math.max(1, this.#io.rows - 1 - frame.notices.length);
    const lines = frame.text.split("\n").slice(0, -1);
    const shown =
      lines.length > rows ? [...lines.slice(0, rows - 1), `... ${lines.length - rows + 1} more lines`] : lines;
    const notices = frame.notices.map((notice) => this.#dim(notice));
    const below = this.#dim(`${formatLocalTime(Date.now()).slice(11)}  q ends`);
    const text = [...shown, ...notices, below].join(`${clearLine}\r\n`);
    this.#io.out(`${home}${text}${clearLine}${clearBelow}`);
  }

  /** Until it is time to draw anew, something was typed, the size changed, or an end was asked for. */
  async wait(ms: number): Promise<LiveEvent> {
    if (this.#event === undefined) {
      await new Promise<void>((settle) => {
        const timer = setTimeout(settle, ms);
        this.#wake = () => {
          clearTimeout(timer);
          settle();
        };
      });
    }
    const event = this.#event ?? { kind: "draw" };
    this.#event = undefined;
    this.#wake = undefined;
    return event;
  }

  /** Gives the terminal back; harmless the second time. */
  leave(): void {
    for (const cleanUp of this.#cleanUps.splice(0).toReversed()) cleanUp();
    this.#exit();
  }

  [Symbol.dispose](): void {
    try {
      this.leave();
    } catch (error) {
      // The terminal is gone: there is nothing left to put right, and what ended the view says more.
      if (!(error instanceof Error)) throw error;
    }
  }

  #enter(): void {
    this.#isShown = true;
    this.#io.out(enterScreen);
  }

  #exit(): void {
    if (!this.#isShown) return;
    this.#isShown = false;
    this.#io.out(leaveScreen);
  }

  #dim(text: string): string {
    return this.#io.style("dim", cutToWidth(text, this.#io.columns, ellipsisOf(this.#io)));
  }

  #tell(event: LiveEvent): void {
    if (this.#event?.kind !== "end") this.#event = event;
    this.#wake?.();
  }

  #listen(): void {
    for (const [signal, exitCode] of Object.entries(endings))
      this.#on(signal, () => this.#tell({ kind: "end", exitCode }));
    this.#on("SIGTSTP", () => this.#stop());
    this.#on("SIGWINCH", () => this.#tell({ kind: "draw" }));
    // Node asks the terminal for its size when it hears of a change, if this stream is there.
    void process.stdout;
    const input = process.stdin;
    if (!input.isTTY) return;
    input.setRawMode(true);
    const onData = (bytes: Buffer): void => this.#onKeys(bytes.toString("latin1"));
    input.on("data", onData);
    this.#cleanUps.push(() => {
      input.off("data", onData).pause();
      input.setRawMode(false);
    });
  }

  #on(signal: string, act: () => void): void {
    process.on(signal, act);
    this.#cleanUps.push(() => process.off(signal, act));
  }

  #onKeys(keys: string): void {
    if (/[qQ\u0003\u0004]/u.test(keys)) this.#tell({ kind: "end", exitCode: 0 });
    else if (keys.includes("\u001a")) this.#stop();
    else this.#tell({ kind: "draw" });
  }

  /** ^Z: the shell gets its own screen; `fg` brings ours back. */
  #stop(): void {
    const input = process.stdin;
    if (input.isTTY) input.setRawMode(false);
    this.#exit();
    process.once("SIGCONT", () => {
      if (input.isTTY) input.setRawMode(true);
      this.#enter();
      this.#tell({ kind: "draw" });
    });
    process.kill(0, "SIGSTOP");
  }
}
