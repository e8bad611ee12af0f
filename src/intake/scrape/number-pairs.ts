import { fillWords, modifierWords } from "./metric-words.ts";

/** A number in a line, and the name that stands before it. */
export interface NumberPair {
  /** As it stands there, quotes taken off; empty for a bare `[n/N]` behind another number. */
  readonly name: string;
  readonly text: string;
  readonly value: number;
  /** `:` or `=` between name and number; a blank or a bracket alone says less. */
  readonly separator: ":" | "=" | " " | "[";
  /** N of `n/N`. */
  readonly total?: number;
  readonly isPercent: boolean;
  /** Where name and number lie. */
  readonly start: number;
  readonly end: number;
}

const numbers = /[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?|[-+]?\b(?:nan|inf|infinity)\b/giu;
const characters = (text: string): Uint8Array => {
  const set = new Uint8Array(65_536);
  for (const character of text) set[character.charCodeAt(0)] = 1;
  return set;
};
const wordCharacters = characters("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./@%'’-");
const letter = /\p{L}/u;
const extraWords = 3;
const longestName = 80;

/** Every number of a line that is named and stands alone: no version, path, size, time or date is one. Linear in the line. */
export function findNumberPairs(line: string): NumberPair[] {
  const pairs: NumberPair[] = [];
  let from = 0;
  for (const match of line.matchAll(numbers)) {
    const end = match.index + match[0].length;
    if (match.index < from) continue;
    const pair = readPair(line, { from, start: match.index, end, text: match[0] });
    if (pair === undefined) continue;
    pairs.push(pair);
    from = pair.end;
  }
  return pairs;
}

interface FoundNumber {
  /** End of the pair before. */
  readonly from: number;
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

function readPair(line: string, found: FoundNumber): NumberPair | undefined {
  const tail = readTail(line, found.end);
  if (tail === undefined) return undefined;
  const before = readSeparator(line, found);
  if (before === undefined) return undefined;
  const name = readName(line, before.end, found.from) ?? readBareTotal(line, before, tail);
  if (name === undefined) return undefined;
  return {
    name: name.text,
    text: found.text,
    value: toNumber(found.text),
    separator: before.separator,
    ...(tail.total !== undefined && { total: tail.total }),
    isPercent: tail.isPercent,
    start: name.start,
    end: tail.end,
  };
}

export function toNumber(text: string): number {
  if (/\d/u.test(text)) return Number(text);
  if (/nan/iu.test(text)) return Number.NaN;
  return text.startsWith("-") ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
}

interface Tail {
  readonly end: number;
  readonly total?: number;
  readonly isPercent: boolean;
}

/** What follows a number decides whether it is one: not `3.2MB`, `0.5/ckpt`, `1.2.3`, `12:30`, `0.5 * x`. */
function readTail(line: string, end: number): Tail | undefined {
  const next = line.charAt(end);
  if (next === "") return { end, isPercent: false };
  if (next === "/") return readTotal(line, end);
  if (next === "%")
    return /^%(?:[\s,;|)\]}]|$)/u.test(line.slice(end, end + 2)) ? { end: end + 1, isPercent: true } : undefined;
  if (next === ".") return /^\.(?:\s|$)/u.test(line.slice(end, end + 2)) ? { end, isPercent: false } : undefined;
  // `Epoch 3:`, but not `12:30`; `0.5,acc=1`, but not `1,234`.
  if (next === ":" || next === ",")
    return /^:(?:\s|$)|^,(?!\d)/u.test(line.slice(end, end + 2)) ? { end, isPercent: false } : undefined;
  if (!/[\s;|)\]}"'│•]/u.test(next)) return undefined;
  return /^\s+(?:[*^<>=+±]|\/ )/u.test(line.slice(end, end + 8)) ? undefined : { end, isPercent: false };
}

function readTotal(line: string, end: number): Tail | undefined {
  const total = /^\/\s?(\d+)(?![\w.%/:-])/u.exec(line.slice(end, end + 20));
  if (total === null) return undefined;
  return { end: end + total[0].length, total: Number(total[1]), isPercent: false };
}

interface Separator {
  readonly separator: NumberPair["separator"];
  /** Where the name ends. */
  readonly end: number;
}

function readSeparator(line: string, { from, start }: FoundNumber): Separator | undefined {
  let at = skipBlanks(line, start, from);
  const hasBlank = at < start;
  let separator: NumberPair["separator"] = " ";
  if (/["']/u.test(line.charAt(at - 1)) && at === start) at -= 1;
  if (/[[(#]/u.test(line.charAt(at - 1))) {
    separator = "[";
    at = skipBlanks(line, at - 1, from);
  }
  const character = line.charAt(at - 1);
  if (character === ":" || character === "=") {
    at = skipBlanks(line, at - 1, from);
    if (separator !== "[") separator = character;
    // `==`, `!=`, `<=`, `::`, and a walrus are code.
    return at > from && !/[=!<>:+*-]/u.test(line.charAt(at - 1)) ? { separator, end: at } : undefined;
  }
  if (separator === "[") return { separator, end: at };
  return hasBlank && at > from ? { separator, end: at } : undefined;
}

/** `[ 10/500]`: the name is empty. */
function readBareTotal(line: string, { separator, end }: Separator, tail: Tail): FoundName | undefined {
  if (separator !== "[" || tail.total === undefined) return undefined;
  return /[\]\d)]/u.test(line.charAt(end - 1)) ? { text: "", start: end } : undefined;
}

const isBlank = (code: number): boolean => code === 32 || code === 9;

/** Blanks before `at`, a few of them. */
function skipBlanks(line: string, at: number, from: number): number {
  const least = Math.max(from, at - 24);
  let position = at;
  while (position > least && isBlank(line.charCodeAt(position - 1))) position -= 1;
  return position;
}

interface FoundName {
  readonly text: string;
  readonly start: number;
}

/** Reads backwards from `end`: one word, quoted or not, and up to three words of letters before it. */
function readName(line: string, end: number, from: number): FoundName | undefined {
  if (end <= from) return undefined;
  if (/["']/u.test(line.charAt(end - 1))) return readQuoted(line, end, from);
  let start = wordStart(line, end, from);
  let nameEnd = end;
  while (isFill(line.slice(start, nameEnd)) && line.charAt(start - 1) === " ") {
    nameEnd = start - 1;
    start = wordStart(line, nameEnd, from);
  }
  start = earlierWords(line, { start, nameEnd, from });
  const text = line.slice(start, nameEnd);
  // What goes on to the left in any other way is part of something bigger: a path, a call, an option.
  const isWhole = start === 0 || start === from || /[\s,;|([{<"'>│•*]/u.test(line.charAt(start - 1));
  return isWhole && letter.test(text.charAt(0)) && /[\w)%'\]]$/u.test(text) ? { text, start } : undefined;
}

function readQuoted(line: string, end: number, from: number): FoundName | undefined {
  const start = line.lastIndexOf(line.charAt(end - 1), end - 2);
  if (start < from || end - start > longestName) return undefined;
  return { text: line.slice(start + 1, end - 1), start };
}

interface NameSpan {
  readonly start: number;
  readonly nameEnd: number;
  readonly from: number;
}

/** Where the name begins: `final test accuracy`. */
function earlierWords(line: string, { start, nameEnd, from }: NameSpan): number {
  let begin = start;
  for (let count = 0; count < extraWords && line.charAt(begin - 1) === " "; count += 1) {
    const earlier = wordStart(line, begin - 1, from);
    const word = line.slice(earlier, begin - 1);
    if (!/^(?:[A-Za-z][\w'-]*|avg\.)$/iu.test(word) || isFill(word) || nameEnd - earlier > longestName) break;
    begin = earlier;
  }
  return begin;
}

function wordStart(line: string, end: number, from: number): number {
  const least = Math.max(from, end - longestName);
  let start = end;
  while (start > least && wordCharacters[line.charCodeAt(start - 1)] === 1) start -= 1;
  return start;
}

const isFill = (word: string): boolean => fillWords.has(word.toLowerCase());

/** Whether all words before the last one only say which data it is about: `train loss 4.2`. */
export function isModified(name: string): boolean {
  return name
    .split(" ")
    .slice(0, -1)
    .every((word) => modifierWords.has(word.toLowerCase()));
}
