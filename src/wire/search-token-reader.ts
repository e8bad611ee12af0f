import type { SearchToken } from "./search-filter-tokens.ts";
import { tokenizeSearch } from "./search-filter-tokens.ts";

/** Walks over the tokens of one text; past the end it stays at the token of kind `end`. */
export class TokenReader {
  private readonly tokens: readonly SearchToken[];
  private index = 0;

  constructor(text: string) {
    this.tokens = tokenizeSearch(text);
  }

  get current(): SearchToken {
    return this.peek(0);
  }

  /** The token `ahead` of the current one; past the end, the end. */
  peek(ahead: number): SearchToken {
    const token = this.tokens[Math.min(this.index + ahead, this.tokens.length - 1)];
    if (token === undefined) throw new RangeError("a token list holds at least its end");
    return token;
  }

  isAt(mark: string): boolean {
    return this.current.kind === "mark" && this.current.text === mark;
  }

  take(): SearchToken {
    const token = this.current;
    this.index += 1;
    return token;
  }

  /** MLflow takes any number of ANDs between, before and behind comparisons, none included. */
  skipAnds(): void {
    while (isWord(this.current, "AND")) this.index += 1;
  }
}

/** A bare word, in any case. */
export function isWord(token: SearchToken, word: string): boolean {
  return token.kind === "word" && token.text.toUpperCase() === word;
}
