import { invalidParameter } from "../errors.ts";

/** MLflow's page token: base64 of `{"offset": n}`, blank included, so that tokens of either side are the same text. */
export function createPageToken(offset: number): string {
  return Buffer.from(`{"offset": ${offset}}`).toString("base64");
}

/** Offset of a token; no token or an empty one is 0. Everything else but an offset of at least 1: `INVALID_PARAMETER_VALUE`. */
export function parsePageToken(token: string | undefined): number {
  if (token === undefined || token === "") return 0;
  if (!/^[A-Za-z0-9+/]+={0,2}$/u.test(token)) throw invalidParameter("invalid page token: not base64");
  const content = parseJsonOrUndefined(Buffer.from(token, "base64").toString("utf8"));
  const offset = isRecord(content) ? content["offset"] : undefined;
  if (typeof offset === "number" && Number.isSafeInteger(offset) && offset > 0) return offset;
  throw invalidParameter("invalid page token: it holds no offset");
}

function parseJsonOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}
