import { StoreError } from "../errors.ts";

/** One token of a filter or of an order_by element; `position` is where it begins, counted from 0. */
export type SearchToken = { readonly text: string; readonly position: number } & (
  | { readonly kind: "word" }
  /** `prefix.key`; `key` is already without its quotes. */
  | { readonly kind: "name"; readonly prefix: string; readonly key: string }
  /** Quoted text, which is a value or an attribute's name depending on where it stands; `value` is without the quotes. */
  | { readonly kind: "quoted"; readonly quote: Quote; readonly value: string }
  | { readonly kind: "number"; readonly value: number }
  | { readonly kind: "operator" }
  | { readonly kind: "mark" }
  | { readonly kind: "end" }
);

export type Quote = "'" | '"' | "`";

/** Tokens of `text`, closed by one of kind `end`. Text that fits no token: `INVALID_PARAMETER_VALUE`. */
export function tokenizeSearch(text: string): readonly SearchToken[] {
  const tokens: SearchToken[] = [];
  let position = skipBlanks(text, 0);
  while (position < text.length) {
    const token = readToken(text, position);
    tokens.push(token);
    position = skipBlanks(text, position + token.text.length);
  }
  tokens.push({ kind: "end", text: "", position: text.length });
  return tokens;
}

/** The error of everything that is wrong in a filter or order_by: one line that names the place, and a right form as the hint. */
export function searchSyntaxError(message: string, position: number, hint?: string): StoreError {
  const where = `${message}, at character ${position + 1}`;
  return new StoreError("INVALID_PARAMETER_VALUE", where, hint === undefined ? {} : { hint });
}

/** Runs `parse` and puts `what` (`filter`, `order_by`) before the message of an error that it throws. */
export function namingInput<Result>(what: string, parse: () => Result): Result {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    const hint = error.hint === undefined ? {} : { hint: error.hint };
    throw new StoreError(error.errorCode, `${what}: ${error.message}`, { cause: error, ...hint });
  }
}

/** A piece of the user's text, short enough and without line breaks for an error message. */
export function quoteForMessage(text: string): string {
  const oneLine = text.replaceAll(/[\u0000-\u001f\u007f]+/gu, " ");
  return oneLine.length > 60 ? `${oneLine.slice(0, 57)}...` : oneLine;
}

/** What the parser found, for "found ..." in a message. */
export function describeToken(token: SearchToken): string {
  return token.kind === "end" ? "nothing" : quoteForMessage(token.text);
}

const wordPattern = /[\p{L}\p{N}_]+(?:\.[\p{L}\p{N}_]*)*/uy;
const numberPattern = /[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?(?![\p{L}\p{N}_.])/uy;
const operatorPattern = /[<>=!]+/uy;

function readToken(text: string, position: number): SearchToken {
  const first = text.charAt(position);
  if (isQuote(first)) return readQuotedOrName(text, position, first);
  const number = matchAt(numberPattern, text, position);
  if (number !== undefined) return { kind: "number", value: Number(number), text: number, position };
  const word = matchAt(wordPattern, text, position);
  if (word !== undefined) return readWordOrName(text, position, word);
  const operator = matchAt(operatorPattern, text, position);
  if (operator !== undefined) return { kind: "operator", text: operator, position };
  return { kind: "mark", text: String.fromCodePoint(text.codePointAt(position) ?? 0), position };
}

function readWordOrName(text: string, position: number, word: string): SearchToken {
  const dot = word.indexOf(".");
  if (dot < 0) return { kind: "word", text: word, position };
  const prefix = word.slice(0, dot);
  const end = position + word.length;
  const next = text.charAt(end);
  if (dot === word.length - 1 && isQuote(next)) {
    const close = closingQuote(text, end, next);
    const key = text.slice(end + 1, close);
    return { kind: "name", prefix, key, text: text.slice(position, close + 1), position };
  }
  return { kind: "name", prefix, key: word.slice(dot + 1), text: word, position };
}

/** `'...'`, `"..."`, `` `...` ``, or a prefix in backticks: `` `metrics`.key ``. */
function readQuotedOrName(text: string, position: number, quote: Quote): SearchToken {
  const close = closingQuote(text, position, quote);
  const value = text.slice(position + 1, close);
  if (quote === "`" && text.charAt(close + 1) === ".") {
    const tail = readWordOrName(text, close + 1, `.${matchAt(wordPattern, text, close + 2) ?? ""}`);
    if (tail.kind === "name") {
      return {
        kind: "name",
        prefix: value,
        key: tail.key,
        text: text.slice(position, close + 1) + tail.text,
        position,
      };
    }
  }
  return { kind: "quoted", quote, value, text: text.slice(position, close + 1), position };
}

/**
 * Index of the quote that ends the text begun at `start`. As in MLflow, a doubled quote and (in `'` and `"`) one behind
 * a backslash do not end it and stay in the value as they are written; where no other one follows, they do end it.
 */
function closingQuote(text: string, start: number, quote: Quote): number {
  let fallback = -1;
  for (let index = text.indexOf(quote, start + 1); index >= 0; index = text.indexOf(quote, index + 1)) {
    const isEscaped = quote !== "`" && index > start + 1 && text.charAt(index - 1) === "\\";
    const isDoubled = !isEscaped && text.charAt(index + 1) === quote;
    if (!isEscaped && !isDoubled) return index;
    fallback = index;
    if (isDoubled) index += 1;
  }
  if (fallback >= 0) return fallback;
  throw searchSyntaxError(`quote ${quote} is never closed`, start, `close it: ${quote}...${quote}`);
}

function matchAt(pattern: RegExp, text: string, position: number): string | undefined {
  pattern.lastIndex = position;
  return pattern.exec(text)?.[0];
}

function skipBlanks(text: string, position: number): number {
  let index = position;
  while (index < text.length && /\s/u.test(text.charAt(index))) index += 1;
  return index;
}

function isQuote(text: string): text is Quote {
  return text === "'" || text === '"' || text === "`";
}
