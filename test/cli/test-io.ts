import type { Io } from "../../src/cli/io.ts";

export interface TestIoOptions {
  readonly columns?: number;
  readonly rows?: number;
  readonly hasColour?: boolean;
  /** Default true. */
  readonly isUtf8?: boolean;
}

/** An `Io` into memory; `columns` makes stdout a terminal of that width. */
export class TestIo implements Io {
  stdout = "";
  stderr = "";
  readonly isTerminal: boolean;
  readonly isErrTerminal = false;
  readonly columns: number;
  readonly rows: number;
  readonly isUtf8: boolean;
  readonly #hasColour: boolean;

  constructor(options: TestIoOptions = {}) {
    this.isTerminal = options.columns !== undefined;
    this.columns = options.columns ?? 80;
    this.rows = options.rows ?? 24;
    this.isUtf8 = options.isUtf8 ?? true;
    this.#hasColour = options.hasColour ?? false;
  }

  out(text: string | Uint8Array): void {
    this.stdout += typeof text === "string" ? text : Buffer.from(text).toString();
  }

  err(text: string): void {
    this.stderr += text;
  }

  say(message: string): void {
    this.stderr += `track: ${message}\n`;
  }

  style(style: Parameters<Io["style"]>[0], text: string): string {
    return this.#hasColour ? `<${String(style)}>${text}</>` : text;
  }

  get lines(): string[] {
    return this.stdout.split("\n").slice(0, -1);
  }
}
