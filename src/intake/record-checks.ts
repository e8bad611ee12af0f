import { isAbsolute, normalize } from "node:path/posix";
import { checkKey, checkRunId, type KeyKind } from "../entities/validation.ts";
import { StoreError } from "../errors.ts";
import { BadLineError, excerpt } from "./bad-line.ts";

const rememberedKeys = 10_000;
const goodKeys = new Set<string>();

/** Throws unless MLflow takes the name. A program says the same few names a million times, so good ones are remembered. */
export function checkName(kind: KeyKind, key: string): void {
  if (goodKeys.has(key)) return;
  try {
    checkKey(kind, key);
  } catch (error) {
    throw error instanceof StoreError ? new BadLineError("bad-name", error.message) : error;
  }
  if (goodKeys.size >= rememberedKeys) goodKeys.clear();
  goodKeys.add(key);
}

/** A program says the same id a million times. */
let goodRunId: string | undefined;

export function checkRunIdField(value: unknown): string {
  if (typeof value === "string" && value === goodRunId) return value;
  if (typeof value !== "string") throw badValue(`"run_id" must be a string, not ${excerpt(textOf(value))}`);
  try {
    checkRunId(value);
  } catch (error) {
    throw error instanceof StoreError ? badValue(error.message) : error;
  }
  goodRunId = value;
  return value;
}

export function checkStep(value: unknown): number {
  if (typeof value === "number" && Number.isSafeInteger(value)) return value + 0;
  throw badValue(`"step" must be a whole number, not ${excerpt(textOf(value))}`);
}

export function checkTimestamp(value: unknown): number {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value + 0;
  throw badValue(
    `"timestamp" must be a whole number of milliseconds since 1970, 0 or more, not ${excerpt(textOf(value))}`,
  );
}

/** A path that stays below the run's artifact root, in MLflow's normal form. */
export function checkArtifactPath(field: string, value: unknown): string {
  const path = checkPath(field, value);
  if (
    isAbsolute(path) ||
    path.split("/").includes("..") ||
    path === "." ||
    normalize(path) !== path ||
    path.endsWith("/")
  ) {
    throw badValue(`${JSON.stringify(field)} must be a relative path without "." and "..", not ${excerpt(path)}`);
  }
  return path;
}

/** A non-empty path of the sender's file system. */
export function checkPath(field: string, value: unknown): string {
  const path = checkText(field, value);
  if (path === "" || path.includes("\0")) throw badValue(`${JSON.stringify(field)} is no path: ${excerpt(path)}`);
  return path;
}

export function checkFolder(field: string, value: unknown): string {
  const path = checkPath(field, value);
  if (!isAbsolute(path)) throw badValue(`${JSON.stringify(field)} must be an absolute path, not ${excerpt(path)}`);
  return path;
}

export function checkText(field: string, value: unknown): string {
  if (typeof value === "string") return value;
  throw badValue(`${JSON.stringify(field)} must be a string, not ${excerpt(textOf(value))}`);
}

export const badValue = (message: string): BadLineError => new BadLineError("bad-value", message);

/** JSON text of any value of a parsed line, as far as it can be shown. */
export function textOf(value: unknown): string {
  try {
    return JSON.stringify(value) ?? String(value);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return "[deeply nested]";
  }
}
