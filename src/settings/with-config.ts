import { mlflowTags } from "../entities/tag-keys.ts";
import type { KeyValue, RunOptions } from "./run-options.ts";
import { syncTimeoutVariable } from "./sync-timeout.ts";
import { type Environment, variable } from "./tracking-uri.ts";

/** What the config files say, the project's over the user's: options of `track run` that nobody has typed. */
export type ConfigOptions = Partial<RunOptions>;

/** Options of `track run` that the environment can give as well. */
export const runVariables: Readonly<Partial<Record<keyof RunOptions, string>>> = {
  experimentName: "MLFLOW_EXPERIMENT_NAME",
  experimentId: "MLFLOW_EXPERIMENT_ID",
  runId: "MLFLOW_RUN_ID",
  trackingUri: "MLFLOW_TRACKING_URI",
  systemMetrics: "MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING",
  samplingIntervalSeconds: "MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL",
  syncTimeoutMs: syncTimeoutVariable,
};

/** What an outer `track run` gave its command: no settings of the user's (cli.md). */
const handedDown: ReadonlySet<keyof RunOptions> = new Set(["experimentId", "runId", "systemMetrics"]);

const ofNewRuns: ReadonlySet<keyof RunOptions> = new Set(["runName", "description", "parentRunId", "resumeKey"]);

/** The variable that sets this option, where the user has set it. */
export function settingVariable(field: keyof RunOptions, env: Environment): string | undefined {
  const name = runVariables[field];
  if (name === undefined || variable(env, name) === undefined) return undefined;
  return variable(env, "TRACK_RUN_ID") !== undefined && handedDown.has(field) ? undefined : name;
}

/** Fills in from the config files what neither the options nor the environment say; tags and params key by key. */
export function withConfig<Options extends Omit<RunOptions, "runId">>(
  options: Options,
  config: ConfigOptions,
  env: Environment,
): Options {
  const unsaid = Object.entries(config).filter(([field]) => !isSaid(field as keyof RunOptions, options, env));
  return {
    ...Object.fromEntries(unsaid),
    ...options,
    tags: withPairs(options.tags, config.tags ?? [], saidTags(options, env)),
    params: withPairs(options.params, config.params ?? [], []),
  };
}

function isSaid(field: keyof RunOptions, options: Partial<RunOptions>, env: Environment): boolean {
  if (field === "experimentName" || field === "experimentId") {
    // Name and id are one choice: half of it from a file would contradict the other half.
    return (["experimentName", "experimentId"] as const).some(
      (half) => options[half] !== undefined || settingVariable(half, env) !== undefined,
    );
  }
  // The name, the text and the parent of a run that exists are its own.
  if (options.runId !== undefined && ofNewRuns.has(field)) return true;
  if (field === "parentRunId") return options.nested === false;
  if (field === "description") return options.tags?.some(([key]) => key === mlflowTags.note) === true;
  return settingVariable(field, env) !== undefined;
}

function saidTags(options: Partial<RunOptions>, env: Environment): readonly string[] {
  return [...contextKeys(env), ...(options.description === undefined ? [] : [mlflowTags.note])];
}

function withPairs(
  given: readonly KeyValue[],
  config: readonly KeyValue[],
  said: readonly string[],
): readonly KeyValue[] {
  const taken = new Set([...given.map(([key]) => key), ...said]);
  return [...config.filter(([key]) => !taken.has(key)), ...given];
}

/** MLflow only warns about a context that is no JSON object; so it counts as empty. */
function contextKeys(env: Environment): readonly string[] {
  try {
    const value: unknown = JSON.parse(variable(env, "MLFLOW_RUN_CONTEXT") ?? "{}");
    return typeof value === "object" && value !== null && !Array.isArray(value) ? Object.keys(value) : [];
  } catch (error) {
    if (error instanceof SyntaxError) return [];
    throw error;
  }
}
