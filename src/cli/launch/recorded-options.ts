import type { RunOptions } from "../../settings/run-options.ts";

/** Options that `resume` uses again; what looks like a secret in one of them is masked. */
type RecordedOptions = Pick<
  RunOptions,
  | "systemMetrics"
  | "samplingIntervalSeconds"
  | "capture"
  | "timeoutMs"
  | "graceMs"
  | "survive"
  | "strict"
  | "syncTimeoutMs"
  | "consoleLimitBytes"
  | "redact"
  | "scrape"
  | "tensorboard"
  | "paramsFromArgs"
  | "direct"
  | "autolog"
  | "pythonHook"
  | "quiet"
>;

const recordedKeys = [
  "systemMetrics",
  "samplingIntervalSeconds",
  "capture",
  "timeoutMs",
  "graceMs",
  "survive",
  "strict",
  "syncTimeoutMs",
  "consoleLimitBytes",
  "redact",
  "scrape",
  "tensorboard",
  "paramsFromArgs",
  "direct",
  "autolog",
  "pythonHook",
  "quiet",
] as const satisfies readonly (keyof RecordedOptions)[];

/** JSON for the tag `track.options`. */
export function recordableOptions(options: RunOptions): string {
  const entries = recordedKeys.filter((key) => options[key] !== undefined).map((key) => [key, options[key]]);
  return JSON.stringify(Object.fromEntries(entries));
}

/** What the tag says, below what is typed now; a tag that is not ours counts as empty. */
export function withRecordedOptions<Options extends object>(options: Options, recorded: string | undefined): Options {
  if (recorded === undefined) return options;
  try {
    const value: unknown = JSON.parse(recorded);
    if (typeof value !== "object" || value === null) return options;
    const known = Object.entries(value).filter(([key]) => (recordedKeys as readonly string[]).includes(key));
    return { ...Object.fromEntries(known), ...options };
  } catch (error) {
    if (error instanceof SyntaxError) return options;
    throw error;
  }
}
