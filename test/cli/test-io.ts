import type { Io } from "../../src/cli/io.ts";

/** An `Io` into memory; `columns` makes stdout a terminal of that width. */
export class TestIo implements Io {
  stdout = "";
  stderr = "";
  readonly isTerminal: boolean;
  readonly isErrTerminal = false;
  readonly columns: number;
  readonly #hasColour: boolean;

  constructor(options: { readonly columns?: number; readonly hasColour?: boolean } = {}) {
    this.isTerminal = options.columns !== undefined;
    this.columns = options.columns ?? 80;
    this.#hasColour = options.hasColour ?? false;
  }

  out(text: string): void {
    this.stdout += text;
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
