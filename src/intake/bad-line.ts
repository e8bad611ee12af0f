import { type ErrorCode, StoreError } from "../errors.ts";
import type { BadLineKind } from "./intake-handler.ts";

/** What a sender wrote cannot be taken. */
export class BadLineError extends StoreError {
  readonly kind: BadLineKind;

  constructor(kind: BadLineKind, message: string, errorCode: ErrorCode = "INVALID_PARAMETER_VALUE") {
    super(errorCode, message);
    this.kind = kind;
  }
}

/** Text of a sender's as one of our lines may quote it. */
export function excerpt(text: string): string {
  const shown = text.length > 60 ? `${text.slice(0, 60).toWellFormed()}...` : text;
  return JSON.stringify(shown).replaceAll(/[\u007f-\u009f]/gu, "?");
}
