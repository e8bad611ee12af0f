import { StoreError } from "../errors.ts";

/** A JSON object whose fields nobody has looked at yet. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** A double as MLflow's REST API writes it: not finite ones are `"NaN"`, `"Infinity"`, `"-Infinity"`. */
export function numberToJson(value: number): number | string {
  return Number.isFinite(value) ? value : String(value);
}

const decimalPattern = /^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$/u;

/** A double as MLflow's REST API reads it: a number, a decimal text or one of the three names; `undefined` for anything else. */
export function numberFromJson(value: unknown): number | undefined {
  if (typeof value === "number") return value;
  if (typeof value !== "string") return undefined;
  if (value === "NaN" || value === "Infinity" || value === "-Infinity") return Number(value);
  return decimalPattern.test(value) ? Number(value) : undefined;
}

/** An int64 as MLflow's REST API reads it: a whole number or its text; `undefined` for anything else. */
export function integerFromJson(value: unknown): number | undefined {
  const number = typeof value === "string" && !/^[+-]?[0-9]+$/u.test(value) ? undefined : numberFromJson(value);
  return number !== undefined && Number.isInteger(number) ? number : undefined;
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** `{ [key]: items }`, or nothing when there are none: MLflow leaves empty lists out. */
export function listField<Item>(key: string, items: readonly Item[], write: (item: Item) => JsonObject): JsonObject {
  return items.length === 0 ? {} : { [key]: items.map(write) };
}

/** Reads a list that may be absent; a value of another kind: `INTERNAL_ERROR`. */
export function readList<Item>(object: JsonObject, key: string, read: (item: JsonObject) => Item): readonly Item[] {
  const value = object[key] ?? [];
  if (!Array.isArray(value)) throw malformed(key);
  return value.map((item: unknown) => {
    if (!isJsonObject(item)) throw malformed(key);
    return read(item);
  });
}

/** Reads an object that may be absent; a value of another kind: `INTERNAL_ERROR`. */
export function readObject(object: JsonObject, key: string): JsonObject {
  const value = object[key] ?? {};
  if (!isJsonObject(value)) throw malformed(key);
  return value;
}

/** Reads a text; absent is `fallback`, and without one `INTERNAL_ERROR`, as is a value of another kind. */
export function readText(object: JsonObject, key: string, fallback?: string): string {
  const value = object[key] ?? fallback;
  if (typeof value !== "string") throw malformed(key);
  return value;
}

/** Reads an int64 that may be absent; a value of another kind: `INTERNAL_ERROR`. */
export function readInteger(object: JsonObject, key: string): number | undefined {
  const value = object[key];
  if (value === undefined || value === null) return undefined;
  const number = integerFromJson(value);
  if (number === undefined) throw malformed(key);
  return number;
}

/** Reads a double that must be there; else `INTERNAL_ERROR`. */
export function readDouble(object: JsonObject, key: string): number {
  const number = numberFromJson(object[key]);
  if (number === undefined) throw malformed(key);
  return number;
}

/** The error of a message that lacks a field or has another kind of value in it. */
export function malformed(key: string): StoreError {
  return new StoreError("INTERNAL_ERROR", `not MLflow's REST format: ${key} is missing or of another kind`);
}
