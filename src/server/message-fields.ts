import { invalidParameter, type StoreError } from "../errors.ts";
import { type JsonObject, numberFromJson } from "../wire/rest-json.ts";
import { isJsonObject } from "../wire/rest-json-values.ts";

// Fields of a request message, read as MLflow's server reads them (mlflow/server/handlers.py `_get_request_message`): null is absent,
// numbers may be texts. A value of another kind is refused, where MLflow goes on with half of the message.

const fromQuery = Symbol("query");

/** A message of a GET: values are texts, and a field may be there more than once. */
export function messageFromQuery(query: string): JsonObject {
  const values = new URLSearchParams(query);
  const message: Record<string | symbol, unknown> = Object.create(null);
  for (const [key, value] of values) message[key] ??= value;
  message[fromQuery] = values;
  return message;
}

/** Absent: `undefined`; the empty text counts as given. */
export function optionalText(message: JsonObject, key: string): string | undefined {
  const value = message[key];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "string") throw wrongKind(key, value);
  return value;
}

/** Absent: the empty text. */
export function text(message: JsonObject, key: string): string {
  return optionalText(message, key) ?? "";
}

/** Absent or empty: `INVALID_PARAMETER_VALUE`. */
export function requiredText(message: JsonObject, key: string): string {
  const value = optionalText(message, key);
  if (value === undefined || value === "") throw missing(key);
  return value;
}

/** `{ [name]: text }`, or nothing where it is absent or empty. */
export function textEntry<Name extends string>(
  message: JsonObject,
  key: string,
  name: Name,
): { [One in Name]?: string } {
  const value = text(message, key);
  return value === "" ? {} : ({ [name]: value } as { [One in Name]?: string });
}

/** A run's id, which older clients send as `run_uuid`. */
export function requiredRunId(message: JsonObject): string {
  const { run_id: runId } = message;
  return runId === undefined || runId === null || runId === ""
    ? requiredText(message["run_uuid"] === undefined ? message : { run_id: message["run_uuid"] }, "run_id")
    : requiredText(message, "run_id");
}

/** An int64. Too large or fractional: `INVALID_PARAMETER_VALUE`. */
export function optionalInteger(message: JsonObject, key: string): number | undefined {
  const value = message[key];
  if (value === undefined || value === null) return undefined;
  if (typeof value === "number" && Number.isSafeInteger(value)) return value;
  const isText = typeof value === "string" && /^[+-]?[0-9]+$/u.test(value);
  const number = typeof value === "number" || isText ? Number(value) : Number.NaN;
  if (!Number.isInteger(number) || number >= 2 ** 63 || number < -(2 ** 63)) throw wrongKind(key, value);
  return number;
}

export function requiredInteger(message: JsonObject, key: string): number {
  const value = optionalInteger(message, key);
  if (value === undefined) throw missing(key);
  return value;
}

/** A double. What is no number, or a number that no double can hold, is refused and never stored as something else. */
export function requiredDouble(message: JsonObject, key: string): number {
  const value = message[key];
  if (typeof value === "number" && Number.isFinite(value)) return value;
  if (value === undefined || value === null || value === "") throw missing(key);
  if (typeof value === "boolean") return value ? 1 : 0;
  if (typeof value !== "string") throw wrongKind(key, value);
  const number = numberFromJson(value);
  const isSaid = number !== undefined && (Math.abs(number) !== Infinity || value.endsWith("Infinity"));
  if (!isSaid) throw wrongKind(key, value);
  return number;
}

/** Absent: false. */
export function flag(message: JsonObject, key: string, fallback = false): boolean {
  const value = message[key];
  if (value === undefined || value === null) return fallback;
  if (typeof value === "boolean") return value;
  const isQuery = fromQuery in message && typeof value === "string";
  if (isQuery && /^(?:true|false)$/iu.test(value)) return value.toLowerCase() === "true";
  throw wrongKind(key, value);
}

/** One of an enum's names, or its number counted from 1; absent and, as in MLflow, unknown ones: `undefined`. */
export function enumName<Name extends string>(
  message: JsonObject,
  key: string,
  names: readonly Name[],
): Name | undefined {
  const value = message[key];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "string" && typeof value !== "number") throw wrongKind(key, value);
  const isNumber = typeof value === "number" || /^[0-9]+$/u.test(value);
  return isNumber ? names[Number(value) - 1] : names.find((name) => name === value);
}

/** Absent: none. */
export function texts(message: JsonObject, key: string): readonly string[] {
  if (fromQuery in message) return (message[fromQuery] as URLSearchParams).getAll(key);
  const value = message[key];
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value) || !value.every((item) => typeof item === "string")) throw wrongKind(key, value);
  return value;
}

/** Absent: none. */
export function objects(message: JsonObject, key: string): readonly JsonObject[] {
  const value = message[key];
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw wrongKind(key, value);
  for (const item of value) if (!isJsonObject(item)) throw wrongKind(key, item);
  return value as JsonObject[];
}

/** Params or tags: a key that must be there, and a text that may be absent. */
export function pairs(message: JsonObject, key: string): readonly { readonly key: string; readonly value: string }[] {
  return objects(message, key).map((pair, index) => {
    const name = text(pair, "key");
    if (name === "") throw missing(`${key}[${index}].key`);
    return { key: name, value: text(pair, "value") };
  });
}

export function missing(key: string): StoreError {
  return invalidParameter(`Missing value for required parameter '${key}'.${seeDocs}`);
}

const seeDocs = " See the API docs for more information about request parameters.";

function wrongKind(key: string, value: unknown): StoreError {
  const shown = JSON.stringify(value).slice(0, 100);
  return invalidParameter(`Invalid value ${shown} for parameter '${key}' supplied.${seeDocs}`);
}
