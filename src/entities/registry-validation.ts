import { invalidParameter } from "../errors.ts";
import { codePointLength, firstCodePoints } from "../util/code-points.ts";
import type { Tag } from "./tag.ts";
import { checkKey } from "./validation.ts";

// mlflow/utils/validation.py, and the width of the columns where MLflow leaves a length to the database.
const nameLength = 256;
const aliasLength = 255;
const tagValueLength = 100_000;
const aliasPattern = /^[\p{L}\p{N}_-]+$/u;

/** Throws `INVALID_PARAMETER_VALUE` unless MLflow takes it as the name of a registered model. */
export function checkRegisteredModelName(name: string): void {
  if (name.trim() === "") throw invalidParameter("Missing value for required parameter 'name'.");
  if (/[/:]/u.test(name))
    throw invalidParameter(`Invalid model name '${shown(name)}'. Names cannot contain '/' or ':'.`);
  if (name === "." || name.startsWith("..")) {
    throw invalidParameter(`Invalid model name '${shown(name)}': names are treated as file paths`);
  }
  checkLength("model name", name, nameLength);
}

/** `latest` and names like `v1` are MLflow's own. */
export function checkNewAlias(alias: string): void {
  checkAlias(alias);
  if (alias.toLowerCase() === "latest") throw invalidParameter("'latest' alias name (case insensitive) is reserved.");
  if (/^v[0-9]+$/iu.test(alias)) throw invalidParameter(`Version alias name '${shown(alias)}' is reserved.`);
}

export function checkAlias(alias: string): void {
  if (alias === "") throw invalidParameter("Registered model alias name cannot be empty.");
  if (!aliasPattern.test(alias)) {
    const rule = "Names may only contain alphanumerics, underscores (_), and dashes (-).";
    throw invalidParameter(`Invalid alias name: '${shown(alias)}'. ${rule}`);
  }
  checkLength("Registered model alias name", alias, aliasLength);
}

/** A tag of a registered model or of a version. */
export function checkRegistryTag(tag: Tag): void {
  checkKey("tag", tag.key);
  checkLength(`value of tag '${shown(tag.key)}'`, tag.value, tagValueLength);
}

function checkLength(what: string, text: string, limit: number): void {
  if (text.length > limit && codePointLength(text) > limit) {
    throw invalidParameter(`${what} has ${codePointLength(text)} characters, at most ${limit} are allowed`);
  }
}

function shown(text: string): string {
  return firstCodePoints(text, 100);
}
