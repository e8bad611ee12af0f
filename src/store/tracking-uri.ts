import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { StoreError } from "../errors.ts";
import { maskUserinfo, withoutUserinfo } from "../util/uri-secrets.ts";

export type TrackingUri =
  /** `path` is absolute. */
  | { readonly kind: "sqlite"; readonly path: string }
  /** Without user and password. */
  | { readonly kind: "rest"; readonly url: string };

const kinds = "sqlite:///relative.db, sqlite:////absolute.db, http:// or https://";

/** MLflow's forms of a tracking URI; a relative SQLite path is taken from `cwd`, by default this process's. */
export function parseTrackingUri(text: string, cwd?: string): TrackingUri {
  if (/^https?:\/\//iu.test(text) && URL.canParse(text)) return { kind: "rest", url: withoutUserinfo(text) };
  const sqlite = /^sqlite(?:\+[a-z0-9]+)?:\/\/(?:\/(.*))?$/u.exec(text);
  if (sqlite === null) throw unknownKind(text);
  const path = sqlite[1] ?? "";
  if (path === "" || path === ":memory:") throw unknownKind(text);
  return { kind: "sqlite", path: existingSpelling(cwd === undefined ? resolve(path) : resolve(cwd, path)) };
}

/** SQLAlchemy 2.1 decodes `%20`, 2.0 does not: the raw file if it exists, else the decoded one if that exists (contract 4.1). */
function existingSpelling(path: string): string {
  if (!path.includes("%") || existsSync(path)) return path;
  const decoded = decodeOrSame(path);
  return existsSync(decoded) ? decoded : path;
}

function decodeOrSame(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch (error) {
    if (error instanceof URIError) return path;
    throw error;
  }
}

function unknownKind(text: string): StoreError {
  return new StoreError("INVALID_PARAMETER_VALUE", `unknown kind of tracking URI: ${maskUserinfo(text)}`, {
    hint: `use ${kinds}`,
  });
}
