import type { RunOptions } from "../../settings/run-options.ts";
import { variable } from "../../settings/tracking-uri.ts";
import { settingVariable, withConfig } from "../../settings/with-config.ts";
import { createMasker, type SecretMasker } from "../../wire/redact.ts";
import { flagWords, type OptionSpec } from "../command-spec.ts";
import { commandTable } from "../command-table.ts";
import type { Context } from "../context.ts";
import { settingName } from "../load-config.ts";
import { writeTable } from "../table.ts";
import { writeJson } from "../write-json.ts";

export interface ConfigCommandOptions {
  readonly json?: boolean;
}

interface Setting {
  readonly name: string;
  /** `null`: not set, and no default that could be told. */
  readonly value: unknown;
  readonly source: string;
}

/** Defaults that are no plain off. */
const defaults: Readonly<Record<string, unknown>> = {
  experiment: "Default",
  capture: "auto",
  scrape: "off",
  grace: "30s",
  "sync-timeout": "30s",
  "console-limit": "1GB",
};

/** Prints what `track run` would use here without any options, and where each value comes from. */
export function config(context: Context, options: ConfigCommandOptions): void {
  const runOptions = commandTable.find(({ name }) => name === "run")?.options ?? [];
  const names = new Set(runOptions.map(settingName));
  const masker = createMasker(context.env, { enabled: true });
  const settings = Array.from(names, (name) => {
    const specs = runOptions.filter((spec) => settingName(spec) === name);
    const setting = readSetting(context, name, specs);
    return { ...setting, value: masked(masker, name, setting.value) };
  });
  if (options.json === true) return writeJson(context.io, { settings });
  writeTable(
    context.io,
    [
      { title: "NAME", cell: (setting: Setting) => setting.name },
      { title: "VALUE", cell: (setting: Setting) => show(setting.value), minWidth: 8 },
      {
        title: "SOURCE",
        cell: (setting: Setting) => setting.source,
        minWidth: 12,
        style: (setting: Setting) => (setting.source === "default" ? "dim" : undefined),
      },
    ],
    settings,
  );
}

function readSetting(context: Context, name: string, specs: readonly OptionSpec[]): Setting {
  const field = specs[0]?.field as keyof RunOptions;
  const envName = settingVariable(field, context.env);
  if (envName !== undefined) return { name, value: variable(context.env, envName), source: envName };
  const inFile = context.config?.settings.get(field);
  const inForce = withConfig<RunOptions>({ tags: [], params: [] }, context.config?.options ?? {}, context.env);
  if (inFile !== undefined && inForce[field] !== undefined) {
    const { source } = inFile;
    // The files' tags and params are one list; paths are made absolute.
    const isMerged = field === "tags" || field === "params";
    const value = isMerged
      ? Object.fromEntries(inForce[field])
      : field === "trackingUri"
        ? inForce.trackingUri
        : inFile.value;
    return { name, value, source };
  }
  return { name, value: defaultOf(context, name, specs), source: "default" };
}

function defaultOf(context: Context, name: string, specs: readonly OptionSpec[]): unknown {
  if (name === "tracking-uri") return context.trackingUri();
  if (name in defaults) return defaults[name];
  if (specs.some((spec) => spec.parse !== undefined)) return null;
  // What can only be turned off is on.
  return specs.some((spec) => flagWords(spec).some((word) => word.startsWith("--no-")));
}

/** As it would be stored: this goes into bug reports. */
function masked(masker: SecretMasker, name: string, value: unknown): unknown {
  if (typeof value === "string") return masker.maskKeyValue(name, value);
  if (Array.isArray(value)) return value.map((one) => masked(masker, name, one));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, masked(masker, key, one)]));
}

function show(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (Array.isArray(value)) return value.map(show).join(", ");
  if (typeof value !== "object") return typeof value === "string" ? value : JSON.stringify(value);
  return Object.entries(value)
    .map(([key, one]) => `${key}=${show(one)}`)
    .join(", ");
}
