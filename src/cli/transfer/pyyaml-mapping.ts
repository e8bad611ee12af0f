import { StoreError } from "../../errors.ts";

/** A plain or quoted scalar as its text, `null`, or a mapping. Lists are passed over: nothing that is wanted is in one. */
export type YamlValue = string | null | YamlMapping;

export interface YamlMapping {
  readonly [key: string]: YamlValue;
}

/**
 * Reads what PyYAML writes for MLflow's meta.yaml: a block mapping of scalars and of further mappings, long scalars folded
 * over lines. This is no YAML parser; anything else in a file is a `StoreError`, never a wrong value.
 */
export function parsePyyamlMapping(text: string): YamlMapping {
  const reader = new LineReader(text.replaceAll("\r\n", "\n"));
  const mapping = readMapping(reader, 0);
  if (!reader.isAtEnd) throw malformed(reader);
  return mapping;
}

class LineReader {
  readonly #lines: readonly string[];
  #at = 0;

  constructor(text: string) {
    this.#lines = text.split("\n");
    this.#skipBlank();
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#lines.length;
  }

  get number(): number {
    return this.#at + 1;
  }

  /** The line that is next, which may be blank inside a scalar. */
  get line(): string {
    return this.#lines[this.#at] ?? "";
  }

  get indent(): number {
    return /^ */u.exec(this.line)?.[0].length ?? 0;
  }

  next(): void {
    this.#at += 1;
  }

  /** Goes on behind a whole entry. */
  nextEntry(): void {
    this.#at += 1;
    this.#skipBlank();
  }

  #skipBlank(): void {
    while (!this.isAtEnd && /^ *(?:#.*|---)?$/u.test(this.line)) this.#at += 1;
  }
}

function readMapping(reader: LineReader, indent: number): YamlMapping {
  const entries: [string, YamlValue][] = [];
  while (!reader.isAtEnd && reader.indent === indent) {
    const { key, rest } = splitKey(reader);
    entries.push([key, readValue(reader, rest, indent)]);
  }
  return Object.fromEntries(entries);
}

function splitKey(reader: LineReader): { readonly key: string; readonly rest: string } {
  const line = trimBlanks(reader.line);
  const match =
    /^(?:'((?:[^']|'')*)'|"((?:[^"\\]|\\.)*)"|([^\s'"[\]{}>|*&!%#`@,?:-][^:]*(?::\S[^:]*)*|-?\d[^:]*)):(?: +(.*))?$/su.exec(
      line,
    );
  if (match === null) throw malformed(reader);
  const [, single, double, plain, rest = ""] = match;
  const key =
    single?.replaceAll("''", "'") ?? (double === undefined ? undefined : unescape(double, reader)) ?? plain ?? "";
  return { key, rest };
}

function readValue(reader: LineReader, rest: string, indent: number): YamlValue {
  if (rest === "") return readBelow(reader, indent);
  if (rest.startsWith("'")) return readQuoted(reader, rest, "'");
  if (rest.startsWith('"')) return readQuoted(reader, rest, '"');
  if (/^(?:\{\}|\[\])$/u.test(rest)) {
    reader.nextEntry();
    return {};
  }
  if (/^[[\]{}>|*&!%@`]/u.test(rest)) throw malformed(reader);
  return readPlain(reader, rest, indent);
}

/** What is below a key without a value: a mapping, a list, or nothing. */
function readBelow(reader: LineReader, indent: number): YamlValue {
  reader.nextEntry();
  if (reader.isAtEnd) return null;
  if (reader.indent >= indent && /^-(?: |$)/u.test(reader.line.slice(reader.indent))) {
    const listIndent = reader.indent;
    while (!reader.isAtEnd && (reader.indent > listIndent || isListItem(reader, listIndent))) reader.nextEntry();
    return {};
  }
  return reader.indent > indent ? readMapping(reader, reader.indent) : null;
}

function isListItem(reader: LineReader, indent: number): boolean {
  return reader.indent === indent && /^-(?: |$)/u.test(reader.line.slice(reader.indent));
}

function readPlain(reader: LineReader, first: string, indent: number): string | null {
  const lines = [trimBlanks(first)];
  reader.nextEntry();
  while (!reader.isAtEnd && reader.indent > indent) {
    lines.push(trimBlanks(reader.line));
    reader.nextEntry();
  }
  const text = lines.join(" ");
  return /^(?:null|Null|NULL|~)$/u.test(text) ? null : text;
}

function readQuoted(reader: LineReader, first: string, quote: "'" | '"'): string {
  const whole = quote === "'" ? /^'((?:[^']|'')*)'[ \t]*$/su : /^"((?:[^"\\]|\\.)*)"[ \t]*$/su;
  const lines = [first];
  for (;;) {
    const match = whole.exec(lines.join("\n"));
    if (match !== null) {
      reader.nextEntry();
      const body = match[1] ?? "";
      return quote === "'" ? fold(body).replaceAll("''", "'") : unescape(fold(joinLines(body)), reader);
    }
    reader.next();
    if (reader.isAtEnd) throw malformed(reader);
    lines.push(reader.line);
  }
}

/** YAML's blanks only: a no-break space is part of a value. */
const trimBlanks = (text: string): string => text.replaceAll(/^[ \t]+|[ \t]+$/gu, "");

/** A single line break is a blank, each further one a line break; blanks around them belong to the layout. */
function fold(body: string): string {
  return body.replaceAll(/[ \t]*\n([ \t]*\n)*[ \t]*/gu, (breaks) => {
    const count = breaks.split("\n").length - 1;
    return count === 1 ? " " : "\n".repeat(count - 1);
  });
}

/** In double quotes a backslash at the end of a line joins it with the next one. */
function joinLines(body: string): string {
  return body.replaceAll(/(?<!\\)((?:\\\\)*)\\\n[ \t]*/gu, "$1");
}

const escapes: Readonly<Record<string, string>> = {
  "0": "\0",
  a: "\u0007",
  b: "\b",
  t: "\t",
  n: "\n",
  v: "\v",
  f: "\f",
  r: "\r",
  e: "\u001b",
  " ": " ",
  '"': '"',
  "/": "/",
  "\\": "\\",
  N: "\u0085",
  _: "\u00a0",
  L: "\u2028",
  P: "\u2029",
};

function unescape(body: string, reader: LineReader): string {
  return body.replaceAll(/\\(?:x[\dA-Fa-f]{2}|u[\dA-Fa-f]{4}|U[\dA-Fa-f]{8}|.)/gsu, (escape) => {
    if (escape.length > 2) return String.fromCodePoint(Number.parseInt(escape.slice(2), 16));
    const text = escapes[escape.slice(1)];
    if (text === undefined) throw malformed(reader);
    return text;
  });
}

function malformed(reader: LineReader): StoreError {
  return new StoreError("INVALID_PARAMETER_VALUE", `line ${reader.number} is not what MLflow writes`);
}
