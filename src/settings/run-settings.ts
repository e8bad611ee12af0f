import type { ExperimentReference } from "../entities/journal-entry.ts";
import type { Param } from "../entities/param.ts";
import type { Tag } from "../entities/tag.ts";
import { mlflowTags } from "../entities/tag-keys.ts";
import { invalidParameter, UsageError } from "../errors.ts";
import type { CaptureMode, RunOptions } from "./run-options.ts";
import { syncTimeoutOf, usualSyncTimeoutMs } from "./sync-timeout.ts";
import { type Environment, resolveTrackingUri, variable } from "./tracking-uri.ts";

/** One value for everything that `track run` can be told, by option first, environment second (cli.md). */
export interface RunSettings {
  readonly trackingUri: string;
  readonly experiment: ExperimentReference;
  /** The experiment was chosen on the command line, so nothing said later moves the run. */
  readonly isExperimentGiven: boolean;
  /** Both given: the name must be that experiment's, if it exists. */
  readonly expectedExperimentId?: string;
  readonly runName?: string;
  readonly runId?: string;
  readonly parentRunId?: string;
  readonly tags: readonly Tag[];
  readonly params: readonly Param[];
  readonly sampling: { readonly enabled: boolean; readonly intervalSeconds?: number; readonly nodeId?: string };
  readonly capture: CaptureMode;
  readonly timeoutMs?: number;
  readonly graceMs: number;
  readonly survive: boolean;
  readonly strict: boolean;
  /** The journal alone, for `track sync`. */
  readonly offline: boolean;
  readonly syncTimeoutMs: number;
  readonly consoleLimitBytes: number;
  readonly redact: boolean;
  /** `auto` or a pattern; absent: no metrics are taken from the console output. */
  readonly scrape?: string;
  /** Folders with TensorBoard's event files, as typed: relative to the command's folder. */
  readonly tensorboard: readonly string[];
  readonly paramsFromArgs: boolean;
  /** MLflow clients of the command go to the store themselves, with the user's own credentials. */
  readonly direct: boolean;
  /** MLflow's autologging in Python children that never asked for it. */
  readonly autolog: boolean;
  /** The run keeper in Python children. */
  readonly pythonHook: boolean;
  readonly runIdFile?: string;
  readonly summaryFile?: string;
  readonly quiet: boolean;
}

/** Node's timers hold no more than 24.8 days, and fire at once beyond. */
const longestTimerMs = 2 ** 31 - 1;

const defaults = { graceMs: 30_000, syncTimeoutMs: usualSyncTimeoutMs, consoleLimitBytes: 1_000_000_000 } as const;

/** Merges what was typed with the environment. Throws `UsageError` (exit 125) for a value that cannot be meant. */
export function resolveRunSettings(options: RunOptions, env: Environment, cwd: string): RunSettings {
  const outer = variable(env, "TRACK_RUN_ID");
  const parentRunId = options.parentRunId ?? (options.nested === false ? undefined : outer);
  const runId = options.runId ?? inheritedRunId(env, outer);
  return {
    trackingUri: resolveTrackingUri(options.trackingUri, env, cwd),
    ...experimentSettings(options, env, outer !== undefined),
    ...optional("runName", options.runName),
    ...optional("runId", runId),
    ...optional("parentRunId", parentRunId),
    tags: [...contextTags(env, outer), ...tagOptions(options)],
    params: options.params.map(([key, value]) => ({ key, value })),
    sampling: samplingSettings(options, env, outer !== undefined),
    capture: options.capture ?? "auto",
    ...optional("timeoutMs", options.timeoutMs),
    graceMs: Math.min(options.graceMs ?? defaults.graceMs, longestTimerMs),
    survive: options.survive ?? false,
    ...faultSettings(options),
    syncTimeoutMs: Math.min(options.syncTimeoutMs ?? syncTimeoutOf(env) ?? defaults.syncTimeoutMs, longestTimerMs),
    consoleLimitBytes: options.consoleLimitBytes ?? defaults.consoleLimitBytes,
    redact: options.redact ?? true,
    ...scrapeSettings(options),
    tensorboard: options.tensorboard ?? [],
    paramsFromArgs: options.paramsFromArgs ?? false,
    direct: options.direct ?? false,
    ...pythonSettings(options),
    ...optional("runIdFile", options.runIdFile),
    ...optional("summaryFile", options.summaryFile),
    quiet: options.quiet ?? false,
  };
}

/** MLFLOW_RUN_ID, unless it is only what an outer `track run` gave its command. */
function inheritedRunId(env: Environment, outer: string | undefined): string | undefined {
  const given = variable(env, "MLFLOW_RUN_ID");
  return given === outer ? undefined : given;
}

function experimentSettings(
  options: RunOptions,
  env: Environment,
  isInner: boolean,
): Pick<RunSettings, "experiment" | "isExperimentGiven"> & { readonly expectedExperimentId?: string } {
  if (options.experimentName !== undefined || options.experimentId !== undefined) {
    return { ...byNameOrId(options.experimentName, options.experimentId), isExperimentGiven: true };
  }
  const name = variable(env, "MLFLOW_EXPERIMENT_NAME");
  const id = variable(env, "MLFLOW_EXPERIMENT_ID");
  // Inside another run the id is only that run's: the weakest default, which a name overrides without a comparison.
  if (name !== undefined && isInner) return { experiment: { experimentName: name }, isExperimentGiven: false };
  if (name === undefined && id === undefined) return { experiment: { experimentId: "0" }, isExperimentGiven: false };
  return { ...byNameOrId(name, id), isExperimentGiven: false };
}

function byNameOrId(
  name: string | undefined,
  id: string | undefined,
): { readonly experiment: ExperimentReference; readonly expectedExperimentId?: string } {
  if (name === undefined) return { experiment: { experimentId: id ?? "0" } };
  return { experiment: { experimentName: name }, ...optional("expectedExperimentId", id) };
}

/** The user's own entries of MLFLOW_RUN_CONTEXT become tags, as MLflow does; the outer run's parent entry is not one of them. */
function contextTags(env: Environment, outer: string | undefined): Tag[] {
  const text = variable(env, "MLFLOW_RUN_CONTEXT");
  if (text === undefined) return [];
  const context = parseObject(text);
  return Object.entries(context)
    .filter(([key]) => key !== mlflowTags.parentRunId || outer === undefined)
    .map(([key, value]) => ({ key, value: typeof value === "string" ? value : JSON.stringify(value) }));
}

/** MLflow only warns about a context that is no JSON object; so it counts as empty here. */
function parseObject(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : {};
  } catch (error) {
    if (error instanceof SyntaxError) return {};
    throw error;
  }
}

function tagOptions(options: RunOptions): Tag[] {
  const tags = options.tags.map(([key, value]) => ({ key, value }));
  if (options.description === undefined) return tags;
  if (tags.some((tag) => tag.key === mlflowTags.note)) {
    throw usage("the description is given twice: --description and -t mlflow.note.content", "give one of the two");
  }
  return [...tags, { key: mlflowTags.note, value: options.description }];
}

function samplingSettings(options: RunOptions, env: Environment, isInner: boolean): RunSettings["sampling"] {
  const enabled =
    options.systemMetrics ?? (isInner ? undefined : booleanVariable(env, "MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING"));
  const interval = options.samplingIntervalSeconds ?? secondsVariable(env, "MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL");
  return {
    enabled: enabled ?? true,
    ...optional("intervalSeconds", interval === undefined ? undefined : Math.min(interval, longestTimerMs / 1000)),
    ...optional("nodeId", variable(env, "MLFLOW_SYSTEM_METRICS_NODE_ID")),
  };
}

function faultSettings({ strict = false, offline = false }: RunOptions): Pick<RunSettings, "strict" | "offline"> {
  return { strict, offline };
}

function scrapeSettings({ scrape = "off", capture }: RunOptions): Pick<RunSettings, "scrape"> {
  if (scrape === "off") return {};
  if (capture === "off") {
    throw usage("--scrape needs the output that --capture off leaves alone", "give one of the two");
  }
  return { scrape };
}

function pythonSettings({
  autolog = false,
  pythonHook = true,
}: RunOptions): Pick<RunSettings, "autolog" | "pythonHook"> {
  if (autolog && !pythonHook) {
    throw usage("--autolog needs the hook that --no-python-hook leaves out", "give one of the two");
  }
  return { autolog, pythonHook };
}

function booleanVariable(env: Environment, name: string): boolean | undefined {
  const value = variable(env, name);
  if (value === undefined) return undefined;
  const lower = value.toLowerCase();
  if (lower === "true" || lower === "1") return true;
  if (lower === "false" || lower === "0") return false;
  throw usage(`${name} is neither true nor false: ${value}`, `set ${name} to true, false, 1 or 0`);
}

function secondsVariable(env: Environment, name: string): number | undefined {
  const value = variable(env, name);
  if (value === undefined) return undefined;
  const seconds = Number(value);
  if (Number.isFinite(seconds) && seconds > 0) return seconds;
  throw usage(`${name} is no number of seconds: ${value}`, `set ${name} to seconds, such as 10`);
}

function usage(message: string, hint: string): UsageError {
  return new UsageError(message, { exitCode: 125, hint, cause: invalidParameter(message) });
}

function optional<Key extends string, Value>(key: Key, value: Value | undefined): { [K in Key]?: Value } {
  return (value === undefined ? {} : { [key]: value }) as { [K in Key]?: Value };
}
