import { buildByteAutomaton, type ByteAutomaton } from "./byte-automaton.ts";
import { maskMark } from "./mask-mark.ts";
import { allShapes, noMatch, Scan, undecided, wordCharacters, type CharacterSet } from "./secret-shapes.ts";
import { addSpan, mergeSpans, type Span } from "./spans.ts";

/** What a stream is searched for, prepared once for any number of streams. */
export interface StreamPatterns {
  readonly automaton: ByteAutomaton;
  readonly literals: readonly Uint8Array[];
}

/** `secrets` are looked for as their UTF-8 bytes. Takes about a millisecond. */
export function prepareStreamPatterns(secrets: readonly string[]): StreamPatterns {
  const literals = secrets.filter((secret) => secret !== "").map((secret) => Buffer.from(secret, "utf8"));
  const prefixes = allShapes.map((shape) => Buffer.from(shape.prefix, "latin1"));
  return { automaton: buildByteAutomaton([...literals, ...prefixes]), literals };
}

interface Finding extends Span {
  /** Where the pattern that led here begins: before the span, where the shape keeps its prefix. */
  readonly foundAt: number;
}

/** A secret at the end of the text goes on for as long as members of `set` follow. */
interface Tail {
  readonly set: CharacterSet;
  readonly foundAt: number;
}

const mask = Buffer.from(maskMark, "latin1");
const nothing = Buffer.alloc(0);

/**
 * Masks secrets in a stream of bytes, whatever its encoding and wherever its chunks are cut: the joined output is that of
 * one push of everything. Holds back a tail only while it may be the beginning of a secret, 16 KiB at most.
 * Without patterns every chunk is handed through as it is.
 */
export class StreamMasker {
  readonly #patterns: StreamPatterns | undefined;
  #held: Buffer = nothing;
  /** Byte before `#held`, for word borders; 10 at the beginning of the stream. */
  #previous = 10;
  /** Secrets that began before `#held` and reach into it. */
  #carried: Finding[] = [];
  /** Secrets that reach the end of `#held` and go on. */
  #tails: Tail[] = [];
  #isInMask = false;

  constructor(patterns?: StreamPatterns) {
    this.#patterns = patterns;
  }

  /** The masked bytes that are decided by now; may be a view of `chunk`, so use it before reusing the chunk's memory. */
  push(chunk: Buffer): Buffer {
    if (this.#patterns === undefined || chunk.length === 0) return chunk;
    return this.#advance(this.#patterns, chunk, false);
  }

  /** What is still held back; the stream is over. */
  end(): Buffer {
    return this.#patterns === undefined ? nothing : this.#advance(this.#patterns, nothing, true);
  }

  #advance(patterns: StreamPatterns, chunk: Buffer, isFinal: boolean): Buffer {
    const window = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    const scan = new Scan(window, window.length, isFinal);
    const findings = [...this.#carried];
    const tails = this.#continueTails(scan, findings);
    const decided = search(patterns, { scan, previous: this.#previous, findings, tails });
    const hold = isFinal ? window.length : decided;
    const output = this.#mask(window, findings, hold);
    this.#tails = tails.filter((tail) => tail.foundAt < hold);
    if (hold > 0) this.#previous = window[hold - 1] ?? 10;
    // A copy: the caller may reuse the memory of its chunk.
    this.#held = hold === window.length ? nothing : Buffer.from(window.subarray(hold));
    this.#carried = findings
      .filter((finding) => finding.foundAt < hold && finding.end > hold)
      .map(({ start, end, foundAt }) => ({ start: start - hold, end: end - hold, foundAt: foundAt - hold }));
    return output;
  }

  #continueTails(scan: Scan, findings: Finding[]): Tail[] {
    const start = this.#held.length;
    return this.#tails
      .filter(({ set }) => {
        const end = scan.runEnd(set, start);
        if (end > start) findings.push({ start, end, foundAt: -1 });
        return end === scan.length;
      })
      .map(({ set }) => ({ set, foundAt: -1 }));
  }

  /** `window` up to `hold`, each run of touching spans replaced by one mask, also across calls. */
  #mask(window: Buffer, findings: readonly Finding[], hold: number): Buffer {
    const spans = mergeSpans(findings).filter((span) => span.start < hold);
    if (hold === 0) return nothing;
    if (spans.length === 0) {
      this.#isInMask = false;
      return hold === window.length ? window : window.subarray(0, hold);
    }
    const parts: Buffer[] = [];
    let position = 0;
    for (const span of spans) {
      if (span.start > position) parts.push(window.subarray(position, span.start));
      const isContinued = span.start <= 0 && this.#isInMask;
      if (!isContinued) parts.push(mask);
      position = Math.min(span.end, hold);
    }
    if (position < hold) parts.push(window.subarray(position, hold));
    this.#isInMask = (spans.at(-1)?.end ?? 0) >= hold;
    return Buffer.concat(parts);
  }
}

interface Search {
  readonly scan: Scan;
  /** Byte before the scanned text. */
  readonly previous: number;
  readonly findings: Finding[];
  readonly tails: Tail[];
}

/** Adds what is found; returns from where on the text may still become a secret. */
function search(patterns: StreamPatterns, into: Search): number {
  const { next, patternsAt, depthOf } = patterns.automaton;
  const bytes = into.scan.text as Uint8Array;
  const length = into.scan.length;
  let hold = length;
  let state = 0;
  for (let index = 0; index < length; index += 1) {
    state = next[state + bytes[index]!]!;
    if (state >= 0) continue;
    state = ~state;
    for (const pattern of patternsAt(state)) hold = Math.min(hold, judge(patterns, into, pattern, index + 1));
  }
  return Math.min(hold, length - depthOf(state));
}

/** Judges the pattern that ends before `index`; returns from where on it is undecided, else the end of the text. */
function judge(patterns: StreamPatterns, into: Search, pattern: number, index: number): number {
  const { scan, findings } = into;
  const literal = patterns.literals[pattern];
  if (literal !== undefined) {
    addSpan(findings, { start: index - literal.length, end: index, foundAt: index - literal.length });
    return scan.length;
  }
  const shape = allShapes[pattern - patterns.literals.length]!;
  const foundAt = index - shape.prefix.length;
  const before = foundAt > 0 ? scan.text[foundAt - 1]! : into.previous;
  if (shape.isWord && wordCharacters[before] === 1) return scan.length;
  const end = shape.match(scan, index);
  if (end === undecided) return foundAt;
  if (end === noMatch) return scan.length;
  addSpan(findings, { start: shape.keepsPrefix ? index : foundAt, end, foundAt });
  if (shape.body !== undefined && end === scan.length) addTail(into.tails, { set: shape.body, foundAt });
  return scan.length;
}

function addTail(tails: Tail[], tail: Tail): void {
  const known = tails.find(({ set, foundAt }) => set === tail.set && foundAt <= tail.foundAt);
  if (known === undefined) tails.push(tail);
}
