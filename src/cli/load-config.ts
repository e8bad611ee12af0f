import { basename, dirname, resolve } from "node:path";
import { TrackError, UsageError } from "../errors.ts";
import { projectFileName } from "../settings/find-config-files.ts";
import { type ConfigEntry, readConfigFile } from "../settings/read-config-file.ts";
import { originOf } from "../settings/server-access.ts";
import { resolveTrackingUri } from "../settings/tracking-uri.ts";
import type { ConfigOptions } from "../settings/with-config.ts";
import { createMasker } from "../wire/redact.ts";
import { flagWords, type OptionSpec } from "./command-spec.ts";

/** What a config file says of one option of `track run`. */
export interface ConfigSetting {
  readonly key: string;
  /** As TOML has it. */
  readonly value: unknown;
  /** `<file>:<line>` */
  readonly source: string;
}

export interface LoadedConfig {
  readonly options: ConfigOptions;
  /** By the field of the option; of tags and params only the last file that names them. */
  readonly settings: ReadonlyMap<string, ConfigSetting>;
  /** Origins of tracking servers that the user's own file names: what the user's credentials are for. */
  readonly trustedServers: readonly string[];
}

const trustedServers = "trusted-servers";

/**
 * Reads config files, each over those before it. `runOptions`: the options of `track run`, each of which is a setting of the
 * same name; the user's own file may name `trusted-servers` as well. A mistake in a file is a `UsageError` that names file, line and key; a disk that does not answer another error.
 */
export async function loadConfig(paths: readonly string[], runOptions: readonly OptionSpec[]): Promise<LoadedConfig> {
  let loaded: LoadedConfig = { options: {}, settings: new Map(), trustedServers: [] };
  for (const path of paths) loaded = withFile(loaded, path, await readConfigFile(path), runOptions);
  return loaded;
}

function withFile(
  loaded: LoadedConfig,
  path: string,
  entries: readonly ConfigEntry[],
  runOptions: readonly OptionSpec[],
): LoadedConfig {
  const options: Record<string, unknown> = { ...loaded.options };
  const settings = new Map(loaded.settings);
  const seen = new Set<string>();
  const trusted: string[] = [];
  const isUsers = basename(path) !== projectFileName;
  for (const entry of entries) {
    const source = `${path}:${entry.line}`;
    if (entry.key === trustedServers) {
      trusted.push(...readServers(entry, { source, isUsers }));
      continue;
    }
    const spec = findOption(entry.key, runOptions, source);
    // A second `param` of the user's file adds to the project's, every other option replaces it.
    const previous = isPairs(spec) || seen.has(spec.field) ? options[spec.field] : undefined;
    options[spec.field] = readValue(entry, spec, previous, path);
    settings.set(spec.field, { key: entry.key, value: entry.value, source });
    seen.add(spec.field);
  }
  const own = isUsers ? originOf(String(options["trackingUri"])) : undefined;
  if (own !== undefined) trusted.push(own);
  // A name in the project's file is not to meet an id in the user's.
  if (seen.has("experimentName") !== seen.has("experimentId")) {
    const other = seen.has("experimentName") ? "experimentId" : "experimentName";
    delete options[other];
    settings.delete(other);
  }
  return { options, settings, trustedServers: [...loaded.trustedServers, ...trusted] };
}

/** A file that comes with a folder cannot say whom to trust. */
function readServers(
  { key, value }: ConfigEntry,
  { source, isUsers }: { readonly source: string; readonly isUsers: boolean },
): readonly string[] {
  if (!isUsers) {
    throw new UsageError(`${source}: ${key}: only your own config file can say that`, {
      hint: "~/.config/track/config.toml",
    });
  }
  return (Array.isArray(value) ? value : [value]).map((one: unknown) => {
    const origin = typeof one === "string" ? originOf(one) : undefined;
    if (origin !== undefined) return origin;
    throw new UsageError(`${source}: ${key}: not the URI of a tracking server`, {
      hint: `write ${key} = ["https://tracking.example.org"]`,
    });
  });
}

/** The name of an option in a config file: its long flag, without the `no-` of one that turns something off. */
export function settingName(spec: OptionSpec): string {
  const long = flagWords(spec).find((word) => word.startsWith("--")) ?? "";
  return spec.parse === undefined ? long.replace(/^--(?:no-)?/u, "") : long.slice(2);
}

function findOption(key: string, runOptions: readonly OptionSpec[], source: string): OptionSpec {
  const found = runOptions.find((spec) => settingName(spec) === key);
  if (found !== undefined) return found;
  const near = runOptions.map(settingName).find((name) => isNear(name, key));
  throw new UsageError(`${source}: no such setting: ${key}`, {
    hint: near === undefined ? "`track run --help` has them all: each option is a setting" : `did you mean ${near}?`,
  });
}

function readValue({ key, value, line }: ConfigEntry, spec: OptionSpec, previous: unknown, path: string): unknown {
  const fail = (message: string, hint: string): UsageError =>
    new UsageError(`${path}:${line}: ${key}: ${message}`, { hint });
  if (spec.parse === undefined) {
    if (typeof value === "boolean") return value;
    throw fail("neither true nor false", `write ${key} = true or ${key} = false`);
  }
  const texts = toTexts(value, isPairs(spec));
  if (texts === undefined) throw fail("not a value of this setting", exampleOf(key, spec));
  if (texts.some((text) => holdsSecret(text, isPairs(spec)))) {
    // Files are shared and committed: a secret in one goes wherever the file goes, into the stored diff of a run as well.
    throw fail("it holds a secret, which does not belong into a config file", secretHint(spec));
  }
  try {
    const result = texts.reduce<unknown>((before, text) => spec.parse?.(text, before), previous);
    // A relative path means the same wherever below the file `track` is called.
    return fromFolder(spec, result, dirname(path));
  } catch (error) {
    if (!(error instanceof TrackError)) throw error;
    const hint = isPairs(spec) ? exampleOf(key, spec) : (error.hint ?? exampleOf(key, spec));
    throw fail(error.message.replace(/^--?[\w-]+ (?:is )?/u, ""), hint);
  }
}

function fromFolder(spec: OptionSpec, value: unknown, folder: string): unknown {
  if (spec.field === "trackingUri") return resolveTrackingUri(String(value), {}, folder);
  return spec.field === "tensorboard" && Array.isArray(value)
    ? value.map((path) => resolve(folder, String(path)))
    : value;
}

/** What would be stored as `***`. */
function holdsSecret(text: string, isPair: boolean): boolean {
  const masker = createMasker({}, { enabled: true });
  const equals = isPair ? text.indexOf("=") : -1;
  if (equals === -1) return masker.maskText(text) !== text;
  const value = text.slice(equals + 1);
  return masker.maskKeyValue(text.slice(0, equals), value) !== value;
}

function secretHint(spec: OptionSpec): string {
  return spec.field === "trackingUri"
    ? "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
    : "hand it to the command by its environment";
}

const isPairs = (spec: OptionSpec): boolean => spec.flags.includes("<key=value>");

/** Texts as they would be typed; a table is a list of `key=value`. `undefined` for what cannot be meant. */
function toTexts(value: unknown, isPairs: boolean): readonly string[] | undefined {
  if (Array.isArray(value)) {
    const texts = value.map(toText);
    return texts.every((text) => text !== undefined) ? texts : undefined;
  }
  if (isPairs && typeof value === "object" && value !== null && !(value instanceof Date)) {
    const pairs = Object.entries(value).map(([key, one]) => {
      const text = toText(one);
      return text === undefined ? undefined : `${key}=${text}`;
    });
    return pairs.every((text) => text !== undefined) ? pairs : undefined;
  }
  const text = toText(value);
  return text === undefined ? undefined : [text];
}

function toText(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  return typeof value === "number" || typeof value === "boolean" ? String(value) : undefined;
}

function exampleOf(key: string, spec: OptionSpec): string {
  return isPairs(spec) ? `write [${key}] and below it name = "value"` : `write ${key} = "..."`;
}

/** One letter too many, too few, wrong or swapped, or one being the beginning of the other. */
function isNear(name: string, typed: string): boolean {
  if (typed.length >= 4 && (name.startsWith(typed) || typed.startsWith(name))) return true;
  if (Math.abs(name.length - typed.length) > 1) return false;
  let from = 0;
  while (from < name.length && name[from] === typed[from]) from += 1;
  let tail = 0;
  while (tail < Math.min(name.length, typed.length) - from && name.at(-1 - tail) === typed.at(-1 - tail)) tail += 1;
  return Math.max(name.length, typed.length) - from - tail <= 2;
}
